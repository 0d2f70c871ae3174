"""How far a step has moved a model: its predictions before and after, on the same text.

A step that must keep the function (merging an adapter, smoothing, rotating) is compared with its input here.
Comparing only what was in memory with what is on disk looks where such a fault is not. For every other step
the same numbers say what it has cost, and whether the model still predicts anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.lm.tokens import encode

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

ROWS, TOKENS = 8, 96  # at most, of the text that is looked at
#: largest mean KL divergence, in nats per token, that rounding in this dtype explains
SAME = {"float32": 1e-4, "float16": 2e-3, "bfloat16": 2e-2}
#: text for models whose step reads no data
TEXTS = tuple(  # readable as it is
    """\
The river had risen during the night, and in the morning the bridge was gone. People stood on both banks and \
looked at the brown water. Nobody knew how the children would come home from school.
---
def mean(values):
    if not values:
        raise ValueError('no values')
    return sum(values) / len(values)

print(mean([3, 5, 8]))  # 5.333
---
Question: A train leaves at 9:40 and needs 2 hours and 35 minutes. When does it arrive?
Answer: It arrives at 12:15, because 9:40 plus two hours is 11:40, and 35 minutes later it is 12:15.
---
In 1869 Dmitri Mendeleev arranged the known elements by atomic weight. He left gaps for elements that had \
not been found yet, and predicted what they would be like.
""".split("---\n")  # noqa: SIM905 (whole texts are easier to read)
)


TOGETHER = 4  # rows in one pass: their scores of a large vocabulary are the most that is in memory


@dataclass(frozen=True)
class Drift:
    """The change of a model's predictions, in nats per token, over ``tokens`` predictions."""

    kl: float
    loss_before: float
    loss_after: float
    tokens: int
    vocabulary: int

    @property
    def collapsed(self) -> bool:
        """Whether it is worse than guessing with equal chances, and was better by a nat before."""
        guess = math.log(self.vocabulary)
        return not self.loss_after <= guess and self.loss_before <= guess - 1

    @property
    def ratio(self) -> float:
        """The perplexity after, as a multiple of the perplexity before."""
        return math.exp(min(self.loss_after - self.loss_before, 700.0))


def rows_of(tokenizer: Any, texts: Sequence[str] = TEXTS, limit: int | None = None) -> list[list[int]]:
    """Up to 8 of ``texts`` as token ids, each cut to 96 or to ``limit`` tokens."""
    length = min(TOKENS, limit or TOKENS)
    rows = (encode(tokenizer, text)[:length] for text in texts)
    return [row for row in rows if len(row) > 1][:ROWS]


def predictions(network: PreTrainedModel, rows: Sequence[Sequence[int]]) -> list[Tensor]:
    """Log-probabilities after every token of each row: float32 on the CPU, (T, V).

    Rows are computed a few together, filled up behind their end: a network that rounds its weights anew in
    every pass does so for all of them at once.
    """
    import torch

    found: list[Tensor] = []
    with torch.no_grad(), evaluating(network):
        for start in range(0, len(rows), TOGETHER):
            part = [list(row)[:TOKENS] for row in rows[start : start + TOGETHER]]
            longest = max(map(len, part))
            ids = torch.tensor([row + [0] * (longest - len(row)) for row in part])
            mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in part])
            asked = {"input_ids": ids.to(network.device), "attention_mask": mask.to(network.device)}
            logits = network(**asked, use_cache=False).logits
            found += [
                one[: len(row)].float().log_softmax(-1).cpu() for row, one in zip(part, logits, strict=True)
            ]
    return found


@contextmanager
def evaluating(network: PreTrainedModel) -> Iterator[None]:
    """``network`` in evaluation mode while the context is open."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def drift(rows: Sequence[Sequence[int]], before: Sequence[Tensor], after: Sequence[Tensor]) -> Drift:
    """The change from ``before`` to ``after``, predictions on ``rows``; the vocabulary may have grown."""
    import torch

    kl = losses = losses_after = 0.0
    count = 0
    for row, old, new in zip(rows, before, after, strict=True):
        ids = torch.tensor(list(row)[1 : len(old)])[:, None]
        width = min(old.shape[1], new.shape[1])
        kl += float((old[:, :width].exp() * (old[:, :width] - new[:, :width])).sum(-1).double().sum())
        losses -= float(old[:-1].gather(1, ids).double().sum())
        losses_after -= float(new[:-1].gather(1, ids).double().sum())
        count += len(ids)
    positions = sum(len(one) for one in before)
    vocabulary = before[0].shape[1] if before else 2
    return Drift(
        max(kl / max(positions, 1), 0.0),
        losses / max(count, 1),
        losses_after / max(count, 1),
        count,
        vocabulary,
    )


def refuse_moved(moved: Drift, dtype: str, what: str, fix: str) -> None:
    """Refuse the result of a step that had to keep the function and has not.

    Args:
        moved: the change.
        dtype: the dtype of the weights, which bounds what rounding can do.
        what: the step, as ``merging the adapter``.
        fix: what to type instead.

    Raises:
        StepError: the predictions moved by more than rounding explains.
    """
    limit = SAME.get(dtype, SAME["float32"])
    if not moved.kl <= limit:
        raise StepError(
            f"{what} must not change what the model computes, and it moved its predictions by {moved.kl:.3g}"
            f" nats of KL per token (at most {limit:g} for {dtype}; loss {moved.loss_before:.3f} ->"
            f" {moved.loss_after:.3f} on {moved.tokens} tokens); {fix}"
        )
