"""Log-probabilities of answers under the reference model, for preference training.

The reference is the model before training. Its log-probabilities depend on the answers and on the model, but
not on beta, the learning rate, the loss, the seed or the trained adapter. So a sweep over those computes them
once and keeps them as a product in the store (:meth:`ptx.Run.product`). TRL 1.16 has a cache of its own,
which is not used here: it misses when only beta, the learning rate or the output folder changes, and it
returns wrong numbers after a change of ``ld_alpha``, or of ``max_length`` with ``truncation_mode=keep_end``.

Every answer is scored alone, as one sequence without padding. In a batch, the last digits of a
log-probability depend on the other rows: the padded length and the number of rows determine how kernels split
their sums, and both follow from the seed and the batch size. Numbers from TRL's batches could therefore not
be shared between seeds, or would differ from those of a run without the store. Scored alone, they are a
function of the answer. So ``cache_reference=false``, with which the reference stays in memory and scores
every batch, gives the same losses to the last digit. Batches of equal length without padding are not enough:
with stories260K in float32 on a CPU, one or two of eight answers get other last digits than alone. The
numbers differ from TRL's own only by rounding. The cost: a GPU is used less well for short answers. The gain:
one pass per sweep, and training needs neither memory nor time for a reference.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ptx import machine
from ptx.files import digest_of, read_json, write_json
from ptx.hooks.run import Run
from ptx.lm.load import base_of, is_adapter
from ptx.lm.progress import replaced
from ptx.lm.training.method import TrlMethod
from ptx.records import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer

#: raised whenever the numbers are computed in another way
VERSION = 1
LIBRARIES = ("torch", "transformers", "trl")
#: arguments of TRL's configs that do not change a forward pass of the reference; every other argument in
#: ``method.args`` is part of the key
FREE_ARGS = frozenset(
    [
        *(
            "max_grad_norm",
            "optim",
            "optim_args",
            "adam_beta1",
            "adam_beta2",
            "adam_epsilon",
            "lr_scheduler_kwargs",
        ),
        *(
            "logging_steps",
            "logging_strategy",
            "logging_first_step",
            "dataloader_num_workers",
            "dataloader_drop_last",
            "dataset_num_proc",
        ),
        *(
            "f_divergence_type",
            "f_alpha_divergence_coef",
            "use_weighting",
            "discopop_tau",
            "label_smoothing_factor",
        ),
        *("gradient_checkpointing", "gradient_checkpointing_kwargs", "neftune_noise_alpha"),
        *("max_length", "truncation_mode", "ld_alpha"),  # their effect is in the key: tokens, bounds, tail
    ]
)


class Answer(NamedTuple):
    """The token ids of a prompt and its answer, cut to the method's length."""

    ids: tuple[int, ...]
    start: int  # index of the answer's first token; at least 1, since nothing predicts the first token
    whole: int  # number of answer tokens with weight 1; later ones have the weight ``tail`` (``ld_alpha``)


Values = dict[Answer, float]


def answers_of(batch: dict[str, Any], prefix: str = "") -> list[Answer]:
    """The answers in a padded batch that TRL's collator made and cut."""
    found = []
    parts = (batch[f"{prefix}{name}"].tolist() for name in ("input_ids", "attention_mask", "completion_mask"))
    for ids, real, answer in zip(*parts, strict=True):
        length = sum(real)
        start = max(length - sum(answer), 1)
        found.append(Answer(tuple(ids[:length]), start, length - start))
    return found


def pair_columns(batch: dict[str, Any], *, tails: bool) -> dict[str, list[Answer]]:
    """DPO's columns of answers.

    With ``tails`` (LD-DPO, Liu et al. 2024) the tokens by which one side is longer have less weight.
    """
    answers = answers_of(batch)
    half = len(answers) // 2
    chosen, rejected = answers[:half], answers[half:]
    if tails:
        shared = [min(one.whole, other.whole) for one, other in zip(chosen, rejected, strict=True)]
        chosen, rejected = (
            [one._replace(whole=n) for one, n in zip(side, shared, strict=True)]
            for side in (chosen, rejected)
        )
    return {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}


# KTO has no tails
def thumb_columns(batch: dict[str, Any], *, tails: bool) -> dict[str, list[Answer]]:  # noqa: ARG001
    """KTO's columns: the answers, and for the KL term each prompt with the answer of another row."""
    other = {"ref_KL_logps": answers_of(batch, "KL_")} if "KL_input_ids" in batch else {}
    return {"ref_logps": answers_of(batch)} | other


#: trainer -> (function from a batch to columns of answers, product -> its columns). KTO's pairs for the KL
#: term depend on the seed's order of the rows and on the batch size, so they are a separate product: the
#: answers themselves can then be shared between seeds.
COLUMNS: dict[str, tuple[Callable[..., dict[str, list[Answer]]], dict[str, tuple[str, ...]]]] = {
    "DPOTrainer": (pair_columns, {"reference": ("ref_chosen_logps", "ref_rejected_logps")}),
    "KTOTrainer": (thumb_columns, {"reference": ("ref_logps",), "reference_kl": ("ref_KL_logps",)}),
}


def log_probability(model: PreTrainedModel, answer: Answer, tail: float | None) -> float:
    """The log-probability of an answer in nats, with the fused head that TRL trains with."""
    ids = torch.tensor([answer.ids], device=model.device)  # (1, T)
    labels = ids.clone()
    labels[:, : answer.start] = -100
    tokens: Tensor = model(
        input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels, use_cache=False, fused_lm_head=True
    ).log_probs[0, answer.start - 1 :]
    if tail is None:
        return float(tokens.sum())
    return float(tokens[: answer.whole].sum() + tail * tokens[answer.whole :].sum())


@contextlib.contextmanager
def reference_model(trainer: Trainer) -> Iterator[PreTrainedModel]:
    """The reference model of a trainer in evaluation mode, without gradients.

    It is the trainer's second model, or the trained model with its adapter disabled.
    """
    model = getattr(trainer, "ref_model", None) or trainer.accelerator.unwrap_model(trainer.model)
    training = model.training
    disabled = model.disable_adapter() if hasattr(model, "disable_adapter") else contextlib.nullcontext()
    try:
        with torch.no_grad(), disabled, trainer.accelerator.autocast():
            yield model.eval()
    finally:
        model.train(training)


def score(
    trainer: Trainer,
    answers: Iterable[Answer],
    tail: float | None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Values:
    """The log-probability of every answer; ``on_progress`` gets the number of answers scored so far.

    Repeated answers are scored again, so that all ranks of a sharded model run the same number of passes.
    """
    values: Values = {}
    with reference_model(trainer) as model:
        for done, answer in enumerate(answers, 1):
            values[answer] = log_probability(model, answer, tail)
            on_progress(done)
    return values


def stored(
    run: Run,
    method: TrlMethod,
    model: ModelRef,
    trainer: Trainer,
    answers: Iterable[Answer],
    *,
    tail: float | None = None,
    name: str = "reference",
) -> Values:
    """The log-probability of every answer, from the store.

    Those that the store lacks are scored by the reference of ``trainer``, which must not have trained yet.
    """
    distinct = sorted(set(answers))
    folder = run.product(
        name,
        ingredients(run, method, model, trainer, distinct, tail),
        lambda folder: _build(run, trainer, distinct, tail, folder),
    )
    return dict(zip(distinct, read_json(folder / "values.json"), strict=True))


def _build(run: Run, trainer: Trainer, answers: list[Answer], tail: float | None, folder: Path) -> None:
    run.say(f"the reference scores {len(answers)} answers once for all runs that share them")
    shown = max(len(answers) // 100, 1)

    def on_progress(done: int) -> None:
        if done % shown == 0:
            run.event("progress", what="reference", step=done, total=len(answers))
            run.console.progress(f"{run.label} reference", {}, done, len(answers))

    write_json(folder / "values.json", list(score(trainer, answers, tail, on_progress).values()))


def ingredients(
    run: Run, method: TrlMethod, model: ModelRef, trainer: Trainer, answers: list[Answer], tail: float | None
) -> dict[str, Any]:
    """The key of the product: everything that determines the numbers, and nothing about the training."""
    network = trainer.accelerator.unwrap_model(trainer.model)
    base = network.get_base_model() if hasattr(network, "get_base_model") else network
    config = base.config
    return {
        "version": VERSION,
        "weights": weights_digest(model),
        "tokens": digest_of([answer.ids for answer in answers]),
        "bounds": digest_of([(answer.start, answer.whole) for answer in answers]),
        "answers": len(answers),
        "tail": tail,
        "dtype": str(base.dtype).removeprefix("torch."),
        "autocast": trainer.accelerator.mixed_precision,
        "matmul": torch.get_float32_matmul_precision(),
        "quantized": bool(method.lora is not None and method.lora.quantize),
        "attention": config._attn_implementation,  # noqa: SLF001 (transformers has no other name for it)
        "device": run.device,
        "libraries": machine.versions(LIBRARIES),
        "args": {name: value for name, value in sorted(method.args.items()) if name not in FREE_ARGS},
    }


def weights_digest(model: ModelRef) -> str:
    """The digest of a model folder; for an adapter it includes the digest of its base."""
    digest = model.digest or ModelRef.of(model.path).digest
    return (
        digest_of([digest, weights_digest(ModelRef.of(base_of(model.path)))])
        if is_adapter(model.path)
        else digest
    )


def trainer_with_reference(kind: str, run: Run, method: Any, model: ModelRef) -> type:
    """A subclass of TRL's trainer ``kind`` (DPOTrainer, KTOTrainer) with this module's log-probabilities.

    With ``method.cache_reference`` they are added to the rows before training, from the store, and no
    reference model is kept in memory. Without it every batch is scored.
    """
    import trl

    base: Any = getattr(trl, kind)
    columns_of, products = COLUMNS[kind]
    tail: float | None = method.args.get("ld_alpha")

    class WithReference(base):  # type: ignore[misc]
        """TRL's trainer with the log-probabilities of this module."""

        def __init__(self, *args: Any, **options: Any) -> None:
            # TRL would hash all weights for the key of its cache, which is not used
            with replaced(sys.modules[base.__module__], "hash_module", lambda _: ""):
                super().__init__(*args, **options)
            # the loss then reads the numbers from its inputs, where both ways put them
            self.precompute_ref_logps = True

        # overrides TRL's method
        def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
            answers: dict[str, list[Answer]] = {}
            for row in dataset:
                for column, found in columns_of(self.data_collator([row]), tails=tail is not None).items():
                    answers.setdefault(column, []).extend(found)
            for product, columns in products.items():
                wanted = [answer for column in columns for answer in answers.get(column, [])]
                values = stored(run, method, model, self, wanted, tail=tail, name=product) if wanted else {}
                for column in columns if wanted else ():
                    dataset = dataset.add_column(column, [values[answer] for answer in answers[column]])
            return dataset

        def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
            if not method.cache_reference:
                columns = columns_of(inputs, tails=tail is not None)
                values = score(self, [answer for found in columns.values() for answer in found], tail)
                device = inputs["input_ids"].device
                inputs = inputs | {
                    column: torch.tensor([values[a] for a in found], device=device)
                    for column, found in columns.items()
                }
            return super()._compute_loss(model, inputs, return_outputs)

    WithReference.__name__ = kind
    return WithReference
