"""Answers to prompts, and their log-probabilities under the reference of a trainer.

Answers are scored in batches (``method.speed.batch_tokens``), padded at their end, where no token sees the
padding; those that begin alike are read once up to where they part (:mod:`ptx.lm.training.branches`). The
last digits of a log-probability depend on the rows of its batch, so a batch must not depend on the seed or on
the size of the training's batches, as TRL's do: all answers are sorted by length and cut by a budget of
tokens, and the numbers are a function of the answers and the budget. Sorting also leaves little to pad.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ptx.config import Speed
from ptx.lm.serving.batching import is_memory_full
from ptx.lm.serving.scoring import padded
from ptx.lm.training.branches import APART, Bundle, Work, base_network, bundles, spread, work_of
from ptx.lm.training.distributed import ranks
from ptx.lm.training.passes import short_head

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer


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


def batches(answers: Iterable[Answer], tokens: int, work: Work = APART) -> Iterator[list[Answer]]:
    """The distinct answers that are scored together: the longest first, at most ``tokens`` with padding.

    Answers that share their beginning count as one, where that is less work. A batch has one at least, and
    with ``tokens=0`` one at most.
    """
    distinct = sorted(set(answers), key=lambda answer: (-len(answer.ids), answer))
    made = bundles([answer.ids for answer in distinct], work if tokens else APART)
    batch: list[Bundle] = []
    for bundle in sorted(made, key=lambda bundle: (-bundle.length, bundle.rows)):
        if batch and batch[0].length * (len(batch) + 1) > tokens:
            yield [distinct[place] for one in batch for place in one.rows]
            batch = []
        batch.append(bundle)
    if batch:
        yield [distinct[place] for one in batch for place in one.rows]


def log_probabilities(
    model: PreTrainedModel, answers: Sequence[Answer], tail: float | None, work: Work = APART
) -> list[float]:
    """The log-probability in nats of each answer, with the fused head that TRL trains with.

    The answers are read as one batch. Where memory is full its halves are read one after the other.
    """
    ids = torch.tensor(padded([answer.ids for answer in answers]), device=model.device)  # (B, T)
    bounds = torch.tensor([(a.start, a.start + a.whole, len(a.ids)) for a in answers], device=model.device)
    start, shared, end = bounds[:, :, None].unbind(1)  # (B, 1) each
    places = torch.arange(ids.shape[1], device=model.device)  # (T,)
    labels = ids.masked_fill((places < start) | (places >= end), -100)
    try:
        with short_head(None if work is APART else model.device.type):
            tokens: Tensor = _scored(model, ids, labels, places < end, work).double()
    except Exception as error:
        if len(answers) == 1 or not is_memory_full(error):
            raise
        half = len(answers) // 2
        parts = answers[:half], answers[half:]
        return [value for part in parts for value in log_probabilities(model, part, tail, work)]
    if tail is not None:
        tokens = torch.where(places[1:] < shared, tokens, tail * tokens)
    return list(tokens.sum(dim=1).tolist())


def _scored(model: PreTrainedModel, ids: Tensor, labels: Tensor, real: Tensor, work: Work) -> Tensor:
    """(B, T - 1) log-probabilities of tokens, 0 where there is no label."""
    if work is not APART:
        batch = {"input_ids": ids, "attention_mask": real.long(), "labels": labels}
        shared: Tensor = spread(model, batch, work, 0).log_probs
        return shared
    # the padding is behind every token that is scored, so no mask is needed
    found: Tensor = model(input_ids=ids, labels=labels, use_cache=False, fused_lm_head=True).log_probs
    return found


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
    parts: Callable[[Work], Iterable[Sequence[Answer]]],
    tail: float | None,
    speed: Speed,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Values:
    """The log-probability of every answer of all batches; ``on_progress`` gets the number scored so far."""
    values: Values = {}
    with reference_model(trainer) as model:
        work = work_of(base_network(model)) if speed.share_prefix and ranks() == 1 else APART
        for part in parts(work):
            values |= zip(part, log_probabilities(model, part, tail, work), strict=True)
            on_progress(len(values))
    return values


def parts_of_a_batch(answers: Sequence[Answer], tokens: int) -> list[Sequence[Answer]]:
    """The answers of a training's batch as they are scored during the training: together, or one by one.

    Repeated answers stay, so that all ranks of a sharded model run the same number of passes.
    """
    return [answers] if tokens else [[answer] for answer in answers]
