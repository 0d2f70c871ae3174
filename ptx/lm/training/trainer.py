"""One training run around a TRL trainer: the model in, checkpoints and resuming, the model out.

A method's ``train.py`` makes rows and a trainer; everything that is the same for all of them happens here.
TRL decides the losses; ptx decides which weights go in, that a killed run goes on where it stopped, that the
result is a whole model folder in the number format it came in, and that mistakes which TRL trains through are
said or stop the run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.config import Lora
from ptx.errors import StepError
from ptx.files import read_json
from ptx.hooks.run import Run
from ptx.lm.load import is_adapter, load_model, load_tokenizer, save_adapter, save_model, weights_of
from ptx.lm.training.distributed import gather_state, is_sharded, ranks
from ptx.lm.training.method import DEFAULT_LENGTH, TrlMethod
from ptx.lm.training.trl_args import trl_class
from ptx.lm.training.trl_warnings import report_trl_warnings
from ptx.models import inspection
from ptx.records import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: what a checkpoint must hold to be resumed from; TRL's Trainer writes trainer_state.json last
CHECKPOINT = ("trainer_state.json", "optimizer.pt", "scheduler.pt")


def length_of(method: Any, model: Path) -> int:
    """``method.max_length``, or as much of 1024 tokens as the model's context holds."""
    if method.max_length is not None:
        return int(method.max_length)
    return min(DEFAULT_LENGTH, context_of(model) or DEFAULT_LENGTH)


def context_of(model: Path) -> int | None:
    """The longest text that a model (or the base of an adapter) takes, in tokens; None where it does not
    say.
    """
    return inspection.inspect(weights_of(model)).max_positions


def load_policy(run: Run, method: TrlMethod, model: ModelRef) -> PreTrainedModel:
    """The model to train. An adapter folder is merged into its base first: the new training starts from what
    it was.
    """
    options: dict[str, Any] = {}
    if method.lora is not None and method.lora.quantize:
        options["quantization_config"] = _four_bits()
    device = run.device if ranks() == 1 else "cpu"  # of several ranks each is given its part by the trainer
    policy = load_model(model, _dtype(run, method), device, **options)
    return policy.merge_and_unload().requires_grad_(True) if is_adapter(model.path) else policy


def load_reference(run: Run, method: TrlMethod, model: ModelRef) -> PreTrainedModel | None:
    """A second copy of the model as it came; None with adapters, which TRL switches off to get the same."""
    return None if method.lora is not None else load_policy(run, method, model)


def _dtype(run: Run, method: TrlMethod) -> str:
    """float32 weights under autocast when all are trained (an update of bfloat16 weights is often rounded
    away), else bfloat16.
    """
    if method.dtype != "auto":
        return "float32" if method.dtype == "float16" and method.lora is None else method.dtype
    return "bfloat16" if run.device == "cuda" and method.lora is not None else "float32"


def _four_bits() -> Any:
    """QLoRA's storage (Dettmers et al. 2023): 4-bit NormalFloat with double quantisation. Needs a GPU, so no
    test here runs it.
    """
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def peft_config(lora: Lora | None) -> Any:
    """The peft config of a Lora; None stays None."""
    if lora is None:
        return None
    from peft import LoraConfig

    targets = (
        lora.targets if lora.targets == "all-linear" else [name.strip() for name in lora.targets.split(",")]
    )
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )


def make_trainer(
    run: Run,
    kind: str | Callable[..., Any],
    method: TrlMethod,
    model: ModelRef,
    tokenizer: Any,
    rows: list[dict[str, Any]],
    args: Any,
    **extra: Any,
) -> Any:
    """TRL's trainer ``kind`` (``DPOTrainer``, or what makes one derived from it) for the model to train and
    rows in TRL's columns.
    """
    from datasets import Dataset

    with report_trl_warnings(run):
        return (trl_class(kind) if isinstance(kind, str) else kind)(
            model=load_policy(run, method, model),
            args=args,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=peft_config(method.lora),
            **extra,
        )


def run_trainer(
    run: Run, trainer: Any, method: TrlMethod, model: ModelRef, explain: Callable[[], str] | None = None
) -> ModelRef:
    """Train, resuming where a killed run stopped, and write the result to ``run.folder / "model"``."""
    import torch
    from transformers import PrinterCallback, ProgressCallback

    from ptx.lm.training.callbacks import Watch
    from ptx.lm.training.keep_zeros import hold

    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    trainer.add_callback(Watch(run, explain))
    if method.keep_zeros:
        hold(run, trainer)
    checkpoint = latest_checkpoint(run.checkpoints)
    if checkpoint is not None:
        run.say(f"goes on from step {checkpoint.name.rpartition('-')[2]}")
    try:
        with report_trl_warnings(run):
            run.host.first(
                "ptx_fit", run=run, method=method, model=model, trainer=trainer, checkpoint=checkpoint
            )
    except torch.OutOfMemoryError as error:
        smaller = max((method.micro_batch or method.batch_size) // 2, 1)
        raise StepError(
            f"the GPU's memory is full; try method.micro_batch={smaller}, lora=lora, or a shorter"
            " method.max_length"
        ) from error
    return _result(run, trainer, method, model)


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; one that was being written when the process died is passed over."""
    steps = [path for path in folder.glob("checkpoint-*") if path.name.rpartition("-")[2].isdigit()]
    steps.sort(key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in steps if _is_whole(path)), None)


def _is_whole(checkpoint: Path) -> bool:
    plain = all((checkpoint / name).is_file() for name in CHECKPOINT) and list(
        checkpoint.glob("*.safetensors")
    )
    sharded = (checkpoint / CHECKPOINT[0]).is_file() and [
        *checkpoint.glob("optimizer_0"),
        *checkpoint.glob("global_step*"),
    ]
    if not (plain or sharded):
        return False
    try:
        read_json(checkpoint / "trainer_state.json")
    except json.JSONDecodeError:
        return False
    return True


def _result(run: Run, trainer: Any, method: TrlMethod, model: ModelRef) -> ModelRef:
    folder = run.folder / "model"
    tokenizer = load_tokenizer(
        model.path
    )  # as it came: trainers change the padding side and template of theirs
    lora = method.lora
    state = gather_state(trainer) if is_sharded(trainer) else None
    trainer.accelerator.wait_for_everyone()
    if not trainer.is_world_process_zero():
        return ModelRef(folder)  # rank 0 writes
    trained = (
        trainer.accelerator.unwrap_model(trainer.model)
        if state is None
        else _reassembled(method, model, state)
    )
    trained.config.use_cache = True  # trainers switch it off, and the saved model would generate slowly
    if lora is not None and not lora.merge:
        save_adapter(trained, tokenizer, folder, model)
        return ModelRef.of(folder, "adapter")
    if lora is not None:
        trained = _merged(run, trained, method, model)
    save_model(trained.to(result_dtype(method, model)), tokenizer, folder)
    return ModelRef.of(folder)


def _reassembled(method: TrlMethod, model: ModelRef, state: dict[str, Any]) -> Any:
    """What was trained in shards, as a whole model on the CPU. Needs GPUs to get here, so no test does."""
    whole = load_model(model, "float32", "cpu")
    whole = whole.merge_and_unload() if is_adapter(model.path) else whole
    if method.lora is not None:
        from peft import get_peft_model

        whole = get_peft_model(whole, peft_config(method.lora))  # type: ignore[assignment]
    whole.load_state_dict(state, strict=False)  # tied weights stand there once
    return whole


def _merged(run: Run, trained: Any, method: TrlMethod, model: ModelRef) -> Any:
    """The adapter in the weights. Of a 4-bit base the weights are read again in full: merging into 4 bits
    would round it away.
    """
    from ptx.lm.training.keep_zeros import blank, zero_masks

    if not method.lora.quantize:
        masks = zero_masks(trained) if method.keep_zeros else {}
        merged = trained.merge_and_unload()
    else:
        from peft import PeftModel

        adapter = run.folder / "adapter"
        trained.save_pretrained(adapter)
        base = load_model(model, "bfloat16", run.device)
        masks = zero_masks(base) if method.keep_zeros else {}
        merged = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
        shutil.rmtree(adapter)
    blank(merged, masks)
    return merged


def result_dtype(method: TrlMethod, model: ModelRef) -> Any:
    """The result is as big as what came in, unless a dtype was asked for."""
    import torch

    if method.dtype != "auto":
        return getattr(torch, method.dtype)
    stored = getattr(torch, inspection.inspect(weights_of(model.path)).dtype, None)
    return stored if isinstance(stored, torch.dtype) and stored.is_floating_point else torch.float32
