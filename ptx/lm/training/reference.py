"""Log-probabilities of answers under the reference model, for preference training.

The reference is the model before training. Its log-probabilities depend on the answers and on the model, but
not on beta, the learning rate, the loss, the seed or the trained adapter. So a sweep over those computes them
once and keeps them as a product in the store (:meth:`ptx.Run.product`). TRL 1.16 has a cache of its own,
which is not used here: it misses when only beta, the learning rate or the output folder changes, and it
returns wrong numbers after a change of ``ld_alpha``, or of ``max_length`` with ``truncation_mode=keep_end``.
It also scores all rows, where a training of a few steps draws a small part of them.

With ``speed=exact`` every answer is scored alone, and its number is a function of that answer. Then
``cache_reference=false``, with which the reference stays in memory and scores every batch of the training,
gives the same losses to the last digit. Batches of equal length without padding are not enough for that: with
stories260K in float32 on a CPU, one or two of eight answers get other last digits than alone. In batches the
two ways differ by rounding, so both settings are in the key of the step.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ptx import machine
from ptx.files import digest_of, read_json, write_json
from ptx.hooks.run import Run
from ptx.lm.load import base_of, is_adapter
from ptx.lm.progress import replaced
from ptx.lm.training.answers import COLUMNS, Answer, Values, batches, parts_of_a_batch, score
from ptx.lm.training.distributed import ranks
from ptx.lm.training.method import TrlMethod
from ptx.records import ModelRef

if TYPE_CHECKING:
    from transformers import Trainer

#: raised whenever the numbers are computed in another way
VERSION = 3
#: share of the rows below which they are scored for one training alone
SHARED = 0.25
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


def few(drawn: int, count: int) -> bool:
    """Whether only the ``drawn`` rows of ``count`` are scored.

    All rows are shared between seeds. Where a training draws less than a quarter of them, a few seeds
    together cost less than that, so each scores its own.
    """
    return drawn < SHARED * count and ranks() == 1


def rows_to_score(args: Any, count: int, batch: int) -> Sequence[int]:
    """The places of the rows that the reference scores: all ``count``, or those that the training draws."""
    steps = args.max_steps if args.max_steps > 0 else math.ceil(args.num_train_epochs * count / batch)
    drawn = steps * batch
    if not few(drawn, count):
        return range(count)
    if args.train_sampling_strategy == "sequential":
        return range(drawn)
    if args.train_sampling_strategy != "random" or not args.accelerator_config.use_seedable_sampler:
        return range(count)
    from accelerate.data_loader import SeedableRandomSampler

    # the order of the trainer's first pass over the rows
    order = SeedableRandomSampler(range(count), data_seed=args.data_seed)
    return sorted(itertools.islice(order, drawn))


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

    tokens = method.speed.tokens_of_a_batch(run.device)
    values = score(trainer, lambda work: batches(answers, tokens, work), tail, method.speed, on_progress)
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
        "share_prefix": method.speed.share_prefix,
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
            places = rows_to_score(self.args, len(dataset), method.batch_size)
            answers: dict[str, list[Answer]] = {}
            for place in places:
                batch = self.data_collator([dataset[place]])
                for column, found in columns_of(batch, tails=tail is not None).items():
                    answers.setdefault(column, []).extend(found)
            for product, columns in products.items():
                wanted = [answer for column in columns for answer in answers.get(column, [])]
                values = stored(run, method, model, self, wanted, tail=tail, name=product) if wanted else {}
                for column in columns if wanted else ():
                    numbers = [math.nan] * len(dataset)  # no loss reads that of a row that is not drawn
                    for place, answer in zip(places, answers[column], strict=True):
                        numbers[place] = values[answer]
                    dataset = dataset.add_column(column, numbers)
            return dataset

        def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
            if not method.cache_reference:
                columns = columns_of(inputs, tails=tail is not None)
                answers = [answer for found in columns.values() for answer in found]
                tokens = method.speed.tokens_of_a_batch(run.device)
                parts = parts_of_a_batch(answers, tokens)
                values = score(self, lambda _: parts, tail, method.speed)
                device = inputs["input_ids"].device
                inputs = inputs | {
                    column: torch.tensor([values[a] for a in found], device=device)
                    for column, found in columns.items()
                }
            return super()._compute_loss(model, inputs, return_outputs)

    WithReference.__name__ = kind
    return WithReference
