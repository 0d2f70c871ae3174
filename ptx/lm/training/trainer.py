"""Run a TRL trainer: load the model, train with checkpoints, resume, and save the result.

A method's ``train.py`` makes the rows and the trainer; this module does what is the same for all methods. TRL
computes the losses. ptx loads the weights, resumes a killed run at its last checkpoint, saves a complete
model folder in the dtype of the original, and reports or refuses mistakes that TRL would ignore.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

from ptx.config import Lora
from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.dtypes import exact_dtype, keep_dtypes, main_dtype
from ptx.lm.load import dtype_of, is_adapter, load_model, load_tokenizer, save_adapter, save_model
from ptx.lm.merge import merged
from ptx.lm.rounding import narrowed, rounded
from ptx.lm.training.distributed import gather_state, is_sharded, ranks
from ptx.lm.training.experts import balance_if_possible, name_experts
from ptx.lm.training.merging import merge_trained
from ptx.lm.training.method import DEFAULT_LENGTH, TrlMethod
from ptx.lm.training.reinforced import Reinforced
from ptx.lm.training.rows import as_dataset
from ptx.lm.training.stored_tokens import with_stored_tokens
from ptx.lm.training.trl_args import trl_class
from ptx.lm.training.trl_warnings import report_trl_warnings
from ptx.models import inspection
from ptx.models.folder import open_folder
from ptx.records import ModelRef

if TYPE_CHECKING:
    import torch
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer


#: passes over the data beyond which it is said that there are so many
OFTEN = 8


class WithMaxLength(Protocol):
    """Settings with a maximal number of tokens."""

    max_length: int | None


def length_of(method: WithMaxLength, model: Path) -> int:
    """``method.max_length``, by default 1024 tokens or the model's context length if that is smaller."""
    if method.max_length is not None:
        return method.max_length
    return min(DEFAULT_LENGTH, context_of(model) or DEFAULT_LENGTH)


def context_of(model: Path) -> int | None:
    """The context length in tokens of a model or of an adapter's base; None if the config has none."""
    return inspection.inspect(model).max_positions


def load_policy(run: Run, method: TrlMethod, model: ModelRef) -> PreTrainedModel:
    """The model to train; an adapter is merged into its base first."""
    options: dict[str, Any] = {}
    if method.lora is not None and method.lora.quantize:
        options["quantization_config"] = _four_bits()
    device = run.device if ranks() == 1 else "cpu"  # the trainer moves each rank's part to its device
    policy = load_model(model, _dtype(run, method), device, **options)
    name_experts(policy.config)
    return merged(policy).requires_grad_(True) if is_adapter(model.path) else policy


def stop_at_turn_end(run: Run, policy: PreTrainedModel, model: Path) -> None:
    """Let answers stop where the chat template ends a turn, if generation would go on there.

    A base model with a template (Qwen 2.5) stops at the end of a text only. What is trained on conversations
    ends its turns as the template does.
    """
    folder, config = open_folder(model), policy.generation_config
    token, stops = folder.ids.get(folder.turn_end), config.eos_token_id
    known = stops if isinstance(stops, list) else [] if stops is None else [stops]
    if token is None or not known or token in known:
        return
    config.eos_token_id = [token, *known]
    run.say(
        f"the chat template ends a turn with {folder.turn_end!r}, and generation did not stop there: the"
        " result does, by its generation_config.json"
    )


def say_repeats(run: Run, method: TrlMethod, rows: int) -> None:
    """Say where ``max_steps`` shows every row many times: the few rows of a maker may be learnt by heart."""
    times = method.max_steps * method.batch_size / max(rows, 1)
    if times > OFTEN and not isinstance(method, Reinforced):
        steps = max(1, round(3 * rows / method.batch_size))
        run.say(
            f"each of the {rows} rows is learnt {times:.0f} times over, which may harm what they do not show;"
            f" method.max_steps={steps} is three times"
        )


def load_reference(run: Run, method: TrlMethod, model: ModelRef) -> PreTrainedModel | None:
    """A second copy of the original model; None with an adapter, which TRL disables to get the original."""
    return None if method.lora is not None else load_policy(run, method, model)


def _dtype(run: Run, method: TrlMethod) -> str:
    """The dtype in which the weights are loaded.

    With ``auto`` it is bfloat16 for LoRA on a GPU, else float32: small updates of bfloat16 weights are often
    lost to rounding. float16 training uses float32 weights under autocast.
    """
    if method.dtype != "auto":
        return "float32" if method.dtype == "float16" and method.lora is None else method.dtype
    return "bfloat16" if run.device == "cuda" and method.lora is not None else "float32"


def _four_bits() -> Any:
    """QLoRA's storage (Dettmers et al. 2023): 4-bit NormalFloat with double quantisation. Needs a GPU."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def peft_config(lora: Lora | None, task: str = "CAUSAL_LM") -> Any:
    """The peft configuration of a Lora; None for None.

    With the tasks ``SEQ_CLS`` and ``TOKEN_CLS`` the head of a classifier is trained in full, and saved.
    """
    if lora is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear" if lora.targets == ["all-linear"] else lora.targets,
        # of a classifier of tokens PEFT would put an adapter on the head that it trains in full
        exclude_modules=["score", "classifier"] if task == "TOKEN_CLS" else None,
        task_type=task,
    )


def make_trainer(
    run: Run,
    kind: str | Callable[..., Any],
    method: TrlMethod,
    model: ModelRef,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, Any]] | Dataset,
    args: Any,
    **extra: Any,
) -> Any:
    """A TRL trainer with the model to train.

    Args:
        run: the current run.
        kind: the name of TRL's class, as ``DPOTrainer``, or a subclass of one.
        method: the settings of the method.
        model: the model to train.
        tokenizer: its tokenizer.
        rows: the data in TRL's columns, or tokenised.
        args: the TRL config.
        extra: further arguments of the trainer.
    """
    say_repeats(run, method, len(rows))
    policy = load_policy(run, method, model)
    stop_at_turn_end(run, policy, model.path)
    chosen = with_stored_tokens(run, trl_class(kind) if isinstance(kind, str) else kind)
    if isinstance(method, Reinforced):
        from ptx.lm.training.sampling import with_rollouts

        chosen = with_rollouts(run, method, model, chosen)
    with report_trl_warnings(run):
        trainer = chosen(
            model=policy,
            args=args,
            train_dataset=as_dataset(rows) if isinstance(rows, list) else rows,
            processing_class=tokenizer,
            peft_config=peft_config(method.lora),
            **extra,
        )
    balance_if_possible(run, trainer)
    return trainer


def run_trainer(
    run: Run, trainer: Trainer, method: TrlMethod, model: ModelRef, explain: Callable[[], str] | None = None
) -> ModelRef:
    """Train, from the last checkpoint if there is one, and write the result to ``run.folder / "model"``.

    Raises:
        StepError: as :func:`fit_trainer`.
    """
    fit_trainer(run, trainer, method, model, explain)
    return save_result(run, trainer, method, model)


def fit_trainer(
    run: Run, trainer: Trainer, method: TrlMethod, model: ModelRef, explain: Callable[[], str] | None = None
) -> None:
    """Train, from the last checkpoint if there is one; what is made of the weights is the caller's affair.

    Raises:
        StepError: memory is full (see ``memory_full``), training cannot succeed (see ``callbacks``), or there
            are too few rows for a step.
    """
    from transformers import PrinterCallback, ProgressCallback

    from ptx.lm.training.branches import bundled
    from ptx.lm.training.callbacks import Watch
    from ptx.lm.training.checkpoints import Sealing, usable_checkpoint
    from ptx.lm.training.compiled import compiled
    from ptx.lm.training.coverage import say_coverage
    from ptx.lm.training.keep_zeros import add_keep_zeros
    from ptx.lm.training.memory import narrows, narrows_base
    from ptx.lm.training.memory_full import progress_kept
    from ptx.lm.training.narrow import narrow_base, narrow_weights
    from ptx.lm.training.passes import short_head

    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    trainer.add_callback(Watch(run, explain))
    trainer.add_callback(Sealing())
    if method.lora is not None:
        say_coverage(run, trainer.model)
    if method.keep_zeros:
        add_keep_zeros(run, trainer)
    checkpoint = usable_checkpoint(run)
    full = progress_kept(trainer, method, run.device)
    speed = method.speed
    with (
        report_trl_warnings(run),
        short_head(run.device, wanted=speed.short_head),
        bundled(trainer, speed, run.device),
        narrow_weights(trainer, run.seed, wanted=narrows(method, run.device)),
        narrow_base(trainer, wanted=narrows_base(method, run.device)),
        compiled(trainer.model, wanted=speed.compile),
        full,
    ):
        run.host.first("ptx_fit", run=run, method=method, model=model, trainer=trainer, checkpoint=checkpoint)
    if not trainer.state.global_step:
        what = "no step was trained: there are fewer rows than one step takes"
        raise StepError(f"{what}; try a smaller method.batch_size={method.batch_size}, or give more rows")


def save_result(run: Run, trainer: Trainer, method: TrlMethod, model: ModelRef) -> ModelRef:
    """Write the trained language model to ``run.folder / "model"``, in the dtypes of the original."""
    folder = run.folder / "model"
    # the original one: trainers change the padding side and the template of theirs
    tokenizer = load_tokenizer(model.path)
    lora = method.lora
    state = gather_state(trainer) if is_sharded(trainer) else None
    trainer.accelerator.wait_for_everyone()
    if not trainer.is_world_process_zero():
        return ModelRef(folder)  # only rank 0 writes
    trained = (
        without_autocast(trainer.accelerator.unwrap_model(trainer.model))
        if state is None
        else _reassembled(method, model, state)
    )
    trained.config.use_cache = True  # trainers disable it, and the saved model would generate slowly
    if lora is not None and not lora.merge:
        save_adapter(trained, tokenizer, folder, model)
        return ModelRef.of(folder, "adapter")
    dtype = dtype_of(exact_dtype(model.path) if method.dtype == "auto" else method.dtype, "cpu")
    if lora is not None:
        trained = merge_trained(run, trained, method, model, dtype)
    save_model(narrowed(trained, dtype, run.seed, method.saved_rounding), tokenizer, folder)
    if method.dtype == "auto":
        seed = run.seed
        keep_dtypes(
            folder,
            model.path,
            lambda name, one, to: rounded(one, to, seed + crc32(name.encode()), method.saved_rounding),
        )
    return ModelRef.of(folder)


def without_autocast(network: Any) -> Any:
    """The network, computing in the dtype of its weights again: accelerate has replaced its ``forward``.

    Accelerate's own ``keep_fp32_wrapper=False`` takes decorators of transformers off as well.
    """
    if (plain := vars(network).pop("_original_forward", None)) is not None:
        network.forward = plain
    return network


def _reassembled(method: TrlMethod, model: ModelRef, state: dict[str, Tensor]) -> PreTrainedModel:
    """The full model on the CPU with the weights of a sharded training. Needs GPUs, so it is not tested."""
    whole = merged(load_model(model, "float32", "cpu"))
    if method.lora is not None:
        from peft import get_peft_model

        whole = get_peft_model(whole, peft_config(method.lora))  # type: ignore[assignment]
    whole.load_state_dict(state, strict=False)  # the state has tied weights only once
    return whole


def result_dtype(method: TrlMethod, model: ModelRef) -> torch.dtype:
    """The dtype of the saved model: ``method.dtype``, by default that of most weights of the original."""
    import torch

    if method.dtype != "auto":
        return getattr(torch, method.dtype)
    return getattr(torch, main_dtype(model.path))


def save_classifier(run: Run, trainer: Trainer, method: TrlMethod, model: ModelRef) -> ModelRef:
    """Write a trained classifier (a reward model) to ``run.folder / "model"``, its adapter merged.

    The tokenizer is the original one: trainers change the padding side and the template of theirs.
    """
    trained = trainer.accelerator.unwrap_model(trainer.model)
    if method.lora is not None:
        trained = trained.merge_and_unload()
    trained.config.use_cache = True
    dtype = exact_dtype(model.path) if method.dtype == "auto" else method.dtype
    folder = run.folder / "model"
    trained = narrowed(trained, dtype_of(dtype, "cpu"), run.seed, method.saved_rounding)
    save_model(trained, load_tokenizer(model.path), folder)
    return ModelRef.of(folder)
