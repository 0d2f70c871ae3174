"""Log-probabilities of a reference, the model as it came, under which preference training compares answers.

They depend on the answers and on the model, not on beta, the learning rate, the loss, the seed or the adapter
that is trained, so a sweep over those needs them once: they are a product of their own in the store
(:meth:`ptx.Run.product`). TRL 1.16 has a cache for them and it is not used: it misses when only beta, the
learning rate or the output folder changes, and after a change of ``ld_alpha``, or of ``max_length`` with
``truncation_mode=keep_end``, it answers with the wrong numbers.

Every answer is scored by itself, one sequence without padding. In a batch the last digits of a
log-probability depend on the company: the padded length and the number of rows decide how kernels split their
sums, and both follow from the seed and the batch size. Numbers scored in TRL's batches could therefore either
not be shared between seeds or not be those of a run without the store. Scored alone they are a function of
the answer, so that ``cache_reference=false`` (the reference stays in memory and is asked in every batch)
gives the same losses to the last digit. Batches of equal length, without padding, do not do: with stories260K
in float32 on a CPU one or two of eight answers come out with other last digits than alone. They differ from
TRL's own in-batch numbers by rounding only. The price: a GPU is used less well for short answers; the gain:
the pass is made once per sweep, and neither memory nor time for a reference is needed while training.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ptx import machine
from ptx.files import digest_of, read_json, write_json
from ptx.hooks.run import Run
from ptx.lm.load import base_of, is_adapter
from ptx.lm.progress import replaced
from ptx.lm.training.method import TrlMethod
from ptx.records import ModelRef

#: count of changes in how the numbers are computed
VERSION = 1
LIBRARIES = ("torch", "transformers", "trl")
#: arguments of TRL's configs that no forward pass of the reference depends on; every other one in
#: ``method.args`` is in the key
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
        *("max_length", "truncation_mode", "ld_alpha"),  # they stand in the key as what they come to
    ]
)


class Answer(NamedTuple):
    """A prompt and its answer as the model reads them, cut to the method's length."""

    ids: tuple[int, ...]
    start: int  # where the answer begins; at least 1, since nothing predicts the first token
    whole: int  # tokens of the answer that count in full; those behind them count ``tail`` (``ld_alpha``)


Values = dict[Answer, float]


def answers_of(batch: dict[str, Any], prefix: str = "") -> list[Answer]:
    """The sequences of a padded batch as TRL's collators make it, so that what is cut is cut by TRL."""
    found = []
    parts = (batch[f"{prefix}{name}"].tolist() for name in ("input_ids", "attention_mask", "completion_mask"))
    for ids, real, answer in zip(*parts, strict=True):
        length = sum(real)
        start = max(length - sum(answer), 1)
        found.append(Answer(tuple(ids[:length]), start, length - start))
    return found


def pair_columns(batch: dict[str, Any], *, tails: bool) -> dict[str, list[Answer]]:
    """DPO's columns. With ``tails`` (LD-DPO, Liu et al. 2024) what a side is longer than the other counts
    less.
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
    """KTO's columns: the answers, and under the KL term each prompt with its neighbour's answer."""
    other = {"ref_KL_logps": answers_of(batch, "KL_")} if "KL_input_ids" in batch else {}
    return {"ref_logps": answers_of(batch)} | other


#: trainer -> how its batches become columns of answers, and which columns make one product. KTO's KL pairs
#: follow the seed's order of the rows and the size of a batch; kept apart, they leave the answers themselves
#: to be shared.
COLUMNS: dict[str, tuple[Callable[..., dict[str, list[Answer]]], dict[str, tuple[str, ...]]]] = {
    "DPOTrainer": (pair_columns, {"reference": ("ref_chosen_logps", "ref_rejected_logps")}),
    "KTOTrainer": (thumb_columns, {"reference": ("ref_logps",), "reference_kl": ("ref_KL_logps",)}),
}


def log_probability(model: Any, answer: Answer, tail: float | None) -> float:
    """Log-probability of an answer in nats, through the head that TRL trains with (it never builds the
    logits).
    """
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
def reference_model(trainer: Any) -> Iterator[Any]:
    """The reference of a trainer, ready to be asked: its second model, or the one it trains with the adapter
    switched off.
    """
    model = getattr(trainer, "ref_model", None) or trainer.accelerator.unwrap_model(trainer.model)
    training = model.training
    switched_off = model.disable_adapter() if hasattr(model, "disable_adapter") else contextlib.nullcontext()
    try:
        with torch.no_grad(), switched_off, trainer.accelerator.autocast():
            yield model.eval()
    finally:
        model.train(training)


def score(
    trainer: Any, answers: Iterable[Answer], tail: float | None, seen: Callable[[int], None] = lambda _: None
) -> Values:
    """Every answer's log-probability; ``seen`` is told how many are done. Repeated ones are scored again, so
    that sharded ranks keep step.
    """
    values: Values = {}
    with reference_model(trainer) as model:
        for done, answer in enumerate(answers, 1):
            values[answer] = log_probability(model, answer, tail)
            seen(done)
    return values


def stored(
    run: Run,
    method: TrlMethod,
    model: ModelRef,
    trainer: Any,
    answers: Iterable[Answer],
    *,
    tail: float | None = None,
    name: str = "reference",
) -> Values:
    """The same from the store; scored by ``trainer``'s reference, before it has been trained, where the store
    lacks them.
    """
    distinct = sorted(set(answers))
    folder = run.product(
        name,
        ingredients(run, method, model, trainer, distinct, tail),
        lambda folder: _build(run, trainer, distinct, tail, folder),
    )
    return dict(zip(distinct, read_json(folder / "values.json"), strict=True))


def _build(run: Run, trainer: Any, answers: list[Answer], tail: float | None, folder: Path) -> None:
    run.say(f"the reference scores {len(answers)} answers, once for all runs that share them")
    shown = max(len(answers) // 100, 1)

    def seen(done: int) -> None:
        if done % shown == 0:
            run.event("progress", what="reference", step=done, total=len(answers))
            run.console.progress(f"{run.label} reference", {}, done, len(answers))

    write_json(folder / "values.json", list(score(trainer, answers, tail, seen).values()))


def ingredients(
    run: Run, method: TrlMethod, model: ModelRef, trainer: Any, answers: list[Answer], tail: float | None
) -> dict[str, Any]:
    """All that decides the numbers: the key. Nothing of what is trained, how, or in which order."""
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
    """What the reference computes with: the folder, and below an adapter that of its base."""
    digest = model.digest or ModelRef.of(model.path).digest
    return (
        digest_of([digest, weights_digest(ModelRef.of(base_of(model.path)))])
        if is_adapter(model.path)
        else digest
    )


def trainer_with_reference(kind: str, run: Run, method: Any, model: ModelRef) -> type:
    """TRL's trainer ``kind`` (DPOTrainer, KTOTrainer), whose reference is scored answer by answer, from the
    store or in every batch.

    With ``method.cache_reference`` the rows get their numbers before the training begins and no reference
    model is kept.
    """
    import trl

    base: Any = getattr(trl, kind)
    columns_of, products = COLUMNS[kind]
    tail: float | None = method.args.get("ld_alpha")

    class WithReference(base):  # type: ignore[misc]
        """The trainer of TRL with ptx's numbers for the reference."""

        def __init__(self, *args: Any, **options: Any) -> None:
            with replaced(
                sys.modules[base.__module__], "hash_module", lambda _: ""
            ):  # of all weights, for a key that is not used
                super().__init__(*args, **options)
            self.precompute_ref_logps = (
                True  # the loss is to take the numbers from its inputs, and gets them there in both ways
            )

        # TRL's interface
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
