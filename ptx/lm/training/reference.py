"""Log-probabilities of answers under the reference model, for preference training.

The reference is the model before training. Its log-probabilities depend on the answers and on the model, but
not on beta, the learning rate, the loss, the seed or the trained adapter. So a sweep over those computes them
once and keeps them as a product in the store (:meth:`ptx.Run.product`). TRL 1.16 has a cache of its own,
which is not used here: it misses when only beta, the learning rate or the output folder changes, and it
returns wrong numbers after a change of ``ld_alpha``, or of ``max_length`` with ``truncation_mode=keep_end``.

Answers are scored in batches (``method.speed.batch_tokens``), padded at their end, where no token sees the
padding. The last digits of a log-probability depend on the rows of its batch, so a batch must not depend on
the seed or on the size of the training's batches, as TRL's do: all answers are sorted by length and cut by a
budget of tokens, and the numbers are a function of the answers and the budget. Sorting also leaves little to
pad.

With ``speed=exact`` every answer is scored alone, and its number is a function of that answer. Then
``cache_reference=false``, with which the reference stays in memory and scores every batch of the training,
gives the same losses to the last digit. Batches of equal length without padding are not enough for that: with
stories260K in float32 on a CPU, one or two of eight answers get other last digits than alone. In batches the
two ways differ by rounding, so both settings are in the key of the step.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ptx import machine
from ptx.files import digest_of, read_json, write_json
from ptx.hooks.run import Run
from ptx.lm.load import base_of, is_adapter
from ptx.lm.progress import replaced
from ptx.lm.serving.scoring import padded
from ptx.lm.training.method import TrlMethod
from ptx.lm.training.passes import short_head
from ptx.records import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer

#: raised whenever the numbers are computed in another way
VERSION = 2
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


def batches(answers: Iterable[Answer], tokens: int) -> Iterator[list[Answer]]:
    """The distinct answers that are scored together: the longest first, at most ``tokens`` with padding.

    A batch has one answer at least, and with ``tokens=0`` one at most.
    """
    batch: list[Answer] = []
    for answer in sorted(set(answers), key=lambda answer: (-len(answer.ids), answer)):
        if batch and len(batch[0].ids) * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(answer)
    if batch:
        yield batch


def log_probabilities(model: PreTrainedModel, answers: Sequence[Answer], tail: float | None) -> list[float]:
    """The log-probability in nats of each answer, with the fused head that TRL trains with.

    The answers are read as one batch. Where memory is full its halves are read one after the other.
    """
    ids = torch.tensor(padded([answer.ids for answer in answers]), device=model.device)  # (B, T)
    bounds = torch.tensor([(a.start, a.start + a.whole, len(a.ids)) for a in answers], device=model.device)
    start, shared, end = bounds[:, :, None].unbind(1)  # (B, 1) each
    places = torch.arange(ids.shape[1], device=model.device)  # (T,)
    labels = ids.masked_fill((places < start) | (places >= end), -100)
    try:
        # the padding is behind every token that is scored, so no mask is needed
        with short_head():
            tokens: Tensor = model(
                input_ids=ids, labels=labels, use_cache=False, fused_lm_head=True
            ).log_probs.double()  # (B, T - 1), 0 where there is no label
    except torch.OutOfMemoryError:
        if len(answers) == 1:
            raise
        half = len(answers) // 2
        parts = answers[:half], answers[half:]
        return [value for part in parts for value in log_probabilities(model, part, tail)]
    if tail is not None:
        tokens = torch.where(places[1:] < shared, tokens, tail * tokens)
    return list(tokens.sum(dim=1).tolist())


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
    parts: Iterable[Sequence[Answer]],
    tail: float | None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Values:
    """The log-probability of every answer of all batches; ``on_progress`` gets the number scored so far."""
    values: Values = {}
    with reference_model(trainer) as model:
        for part in parts:
            values |= zip(part, log_probabilities(model, part, tail), strict=True)
            on_progress(len(values))
    return values


def parts_of_a_batch(answers: Sequence[Answer], tokens: int) -> list[Sequence[Answer]]:
    """The answers of a training's batch as they are scored during the training: together, or one by one.

    Repeated answers stay, so that all ranks of a sharded model run the same number of passes.
    """
    return [answers] if tokens else [[answer] for answer in answers]


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
        lambda folder: _build(run, method, trainer, distinct, tail, folder),
    )
    return dict(zip(distinct, read_json(folder / "values.json"), strict=True))


def _build(
    run: Run, method: TrlMethod, trainer: Trainer, answers: list[Answer], tail: float | None, folder: Path
) -> None:
    run.say(f"the reference scores {len(answers)} answers once for all runs that share them")
    shown, last = max(len(answers) // 100, 1), 0

    def on_progress(done: int) -> None:
        nonlocal last
        if done - last >= shown:
            last = done
            run.event("progress", what="reference", step=done, total=len(answers))
            run.console.progress(f"{run.label} reference", {}, done, len(answers))

    parts = batches(answers, method.speed.tokens_of_a_batch(run.device))
    values = score(trainer, parts, tail, on_progress)
    write_json(folder / "values.json", [values[answer] for answer in answers])


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
        "batch_tokens": method.speed.batch_tokens,
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
                answers = [answer for found in columns.values() for answer in found]
                tokens = method.speed.tokens_of_a_batch(run.device)
                values = score(self, parts_of_a_batch(answers, tokens), tail)
                device = inputs["input_ids"].device
                inputs = inputs | {
                    column: torch.tensor([values[a] for a in found], device=device)
                    for column, found in columns.items()
                }
            return super()._compute_loss(model, inputs, return_outputs)

    WithReference.__name__ = kind
    return WithReference
