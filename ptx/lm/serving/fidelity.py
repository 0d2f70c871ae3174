"""Measure how far a served artifact is from its original model, on text that the model generates itself.

Texts are sampled from the model p at temperature 1. They start with the beginning-of-text token; if there is
a chat template, half of them start with an opened user turn instead, so that the model writes the question
too (Magpie, Xu et al. 2024). With q the artifact, the mean of KL(p(.|x) || q(.|x)) over the tokens is an
unbiased estimate of the divergence of the two distributions over texts, per token. No data is needed. On the
model's own text, exp(mean KL) is the artifact's perplexity divided by the model's. A *flip* is a token at
which greedy decoding of the two would differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptx.errors import StepError
from ptx.hooks.run import LanguageModel
from ptx.lm.load import render
from ptx.lm.serving.continuing import cannot_continue, continued
from ptx.lm.serving.decoding import log_softmax
from ptx.lm.serving.token_model import TokenModel
from ptx.lm.tokens import encode, first_token
from ptx.models.sizes import context_of
from ptx.records import Metric
from ptx.stats import mean_interval, proportion

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

ROWS, TOKENS = 32, 48
EXACT_KL = 1e-6  # nats per token; another order of additions in float32 gives about 1e-12
MARK = "\N{WHITE CIRCLE}"  # a placeholder for the user's text, to find the template around it
Row = Sequence[int]


@dataclass(frozen=True)
class Fidelity:
    """The divergence of an artifact from its model, in nats per token, and the share of tokens that flip."""

    kl: Metric
    flips: Metric

    @property
    def perplexity_ratio(self) -> float:
        """The artifact's perplexity on the model's own text divided by the model's."""
        return math.exp(min(self.kl.value, 700.0)) if math.isfinite(self.kl.value) else math.inf

    @property
    def figures(self) -> str:
        """Both numbers in a sentence."""
        return f"KL {self.kl.value:.3g} nats per token, {self.flips.value:.1%} of {self.kl.n} tokens flip"

    def numbers(self) -> dict[str, float]:
        """Both numbers with their intervals as the metrics of a step."""
        found: dict[str, float] = {}
        for metric in (self.kl, self.flips):
            found |= {
                metric.name: metric.value,
                f"{metric.name}_low": metric.low,
                f"{metric.name}_high": metric.high,
            }
        return found | {"compared_tokens": float(self.kl.n)}


def own_text(
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
    rows: int = ROWS,
    tokens: int = TOKENS,
    starts: Sequence[list[int]] = (),
) -> list[list[int]]:
    """Rows of token ids from ``network``: an opening, and up to ``tokens`` sampled at temperature 1.

    ``starts`` are the openings; without them, those of the tokenizer.
    """
    generator = torch.Generator(network.device).manual_seed(seed)
    starts = starts or openings(tokenizer)
    longest = context_of(network.config.get_text_config()) or ROWS * TOKENS
    room = min(tokens, longest - max(map(len, starts)))
    counts = [rows // len(starts) + (place < rows % len(starts)) for place in range(len(starts))]

    def drawn(scores: torch.Tensor, *_: Any) -> torch.Tensor:
        return torch.multinomial(scores.float().softmax(-1), 1, generator=generator)[:, 0]

    begun = [list(start) for start, count in zip(starts, counts, strict=True) for _ in range(count)]
    if not cannot_continue(network):  # every pass reads all weights: as few passes as possible
        made = continued(network, begun, room, drawn, lambda _: False)
        return [[*start, *new] for start, new in zip(begun, made, strict=True)]
    return [
        text
        for start, count in zip(starts, counts, strict=True)
        for text in _drawn(network, torch.tensor([start] * count, device=network.device), room, drawn)
    ]


def openings(tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    """The token ids with which the texts begin.

    One opening is the beginning-of-text token, else the end-of-text token. With a chat template there is a
    second one: a user's turn up to its first word.
    """
    begin = first_token(tokenizer)
    found = [[int(begin) if begin is not None else 0]]
    if tokenizer.chat_template:
        turn = render(tokenizer, [{"role": "user", "content": MARK}], add_generation_prompt=False).partition(
            MARK
        )[0]
        found += [ids] if (ids := encode(tokenizer, turn)) and ids != found[0] else []
    return found


def _drawn(
    network: PreTrainedModel, start: torch.Tensor, tokens: int, drawn: Callable[[torch.Tensor], torch.Tensor]
) -> list[list[int]]:
    """Rows of one length (B, T), continued by ``tokens``."""
    ids, step, past = start, start, None
    with torch.inference_mode():
        for _ in range(tokens):
            out = network(input_ids=step, past_key_values=past, use_cache=True)
            past = out.past_key_values
            step = drawn(out.logits[:, -1])[:, None]
            ids = torch.cat([ids, step], dim=1)
    return [[int(token) for token in row] for row in ids.tolist()]


def logits_of(network: PreTrainedModel) -> Callable[[Row], NDArray[np.float32]]:
    """A function from a row to the scores of the next token after each of its tokens: float32 (T, V).

    They are the same as those of :meth:`ptx.LanguageModel.logits`.
    """

    def ask(row: Row) -> NDArray[np.float32]:
        with torch.inference_mode():
            scores = network(input_ids=torch.tensor([list(row)], device=network.device)).logits[0]
        return np.asarray(scores.float().cpu().numpy())

    return ask


def compare(expected: Callable[[Row], NDArray[Any]], lm: LanguageModel, rows: Sequence[Row]) -> Fidelity:
    """KL(model || artifact) and flips over all tokens of ``rows``.

    The intervals are over rows, because the tokens of a row depend on each other.
    """
    found = [
        row_of(expected(row), np.asarray(served)) for row, served in zip(rows, lm.logits(rows), strict=True)
    ]
    return fidelity_of(found, sum(map(len, rows)))


def fidelity_of(found: Sequence[tuple[float, float]], count: int) -> Fidelity:
    """The mean of (KL, share of flips) over rows, or over the tokens of one row; ``count`` tokens in all."""
    kl = _metric("kl", "nats per token", [kl for kl, _ in found], count)
    return Fidelity(kl, _at_least_exact(_metric("flips", "share", [flips for _, flips in found], count)))


def compare_drawn(
    expected: Callable[[Row], NDArray[Any]], lm: TokenModel, rows: Sequence[Row], starts: Sequence[Row]
) -> Fidelity:
    """KL(model || artifact) and flips, for a runtime that gives no scores over the whole vocabulary.

    The mean of ``log p(x) - log q(x)`` over tokens x sampled from p has the expectation KL(p || q).
    ``starts`` are the openings, which were not sampled.
    """
    ratios, flips, count = [], [], 0
    for row in rows:
        drawn = row[
            next(
                len(start)
                for start in sorted(starts, key=len, reverse=True)
                if list(row[: len(start)]) == list(start)
            ) :
        ]
        p = log_softmax(expected(row[:-1])[-len(drawn) :])  # (C, V)
        (scores,) = lm.scored([row[:-1]], [drawn])
        q, served = zip(*scores, strict=True)
        ratios.append(float(np.mean(p[np.arange(len(drawn)), drawn] - q)))
        flips.append(float(np.mean(p.argmax(axis=-1) != served)))
        count += len(drawn)
    kl = _metric("kl", "nats per token", ratios, count, least=-math.inf)
    return Fidelity(kl, _at_least_exact(_metric("flips", "share", flips, count)))


def check(found: Fidelity, what: str, most: float, instead: str, *, exact: bool = False) -> None:
    """Refuse an artifact that differs too much from its model.

    Args:
        found: the measured divergence.
        what: the artifact, as in "the int4 package".
        most: the largest allowed ratio of its perplexity to the model's.
        instead: what the user can try if the ratio is larger.
        exact: whether only the order of additions may differ, because nothing was rounded.

    Raises:
        StepError: the divergence is larger than allowed; the message holds the numbers.
    """
    if exact and not found.kl.value <= EXACT_KL:
        raise StepError(
            f"{what} is not the model: {found.figures}; float32 in another order would give less than"
            f" {EXACT_KL:g}"
        )
    if not found.perplexity_ratio <= most:
        raise StepError(
            f"{what} has {found.perplexity_ratio:.3g} times the model's perplexity on the model's own text"
            f" ({found.figures}), allowed are {most:g}; try {instead}"
        )


def row_of(expected: NDArray[Any], served: NDArray[Any]) -> tuple[float, float]:
    """Mean KL and fraction of flips of one row, from scores (T, V) and (T, V').

    V and V' can differ, because a runtime may pad its vocabulary or drop unused ids.
    """
    if served.shape[0] != expected.shape[0]:
        raise ValueError(f"the runtime gave scores for {served.shape[0]} of {expected.shape[0]} tokens")
    width = min(served.shape[1], expected.shape[1])
    p, q = log_softmax(expected[:, :width]), log_softmax(served[:, :width])
    kl = (np.exp(p) * (p - q)).sum(axis=-1)  # (T,)
    return float(kl.mean()), float((p.argmax(axis=-1) != q.argmax(axis=-1)).mean())


def _metric(name: str, unit: str, per_row: Sequence[float], count: int, least: float = 0.0) -> Metric:
    if not all(map(math.isfinite, per_row)):
        return Metric(name, math.nan, unit, "lower", math.nan, math.nan, count)
    value, low, high = mean_interval(per_row)
    return Metric(name, value, unit, "lower", min(value, max(least, low)), high, count)


def _at_least_exact(share: Metric) -> Metric:
    """``share`` with an interval at least as wide as the exact one for independent tokens.

    If no row has a flip, the variance over rows is zero, although rare flips may have been missed.
    """
    if math.isnan(share.value):
        return share
    low, high = proportion(min(share.value, 1.0) * share.n, share.n)
    return replace(share, low=min(share.low, low), high=max(share.high, high))
