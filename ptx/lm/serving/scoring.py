"""Scoring above the runtimes: which rows are read together, and log-likelihoods of token ids on any runtime.

What is measured is decided here, in :mod:`ptx.lm.tokens` and in :mod:`ptx.lm.evaluation.windows`; a runtime
only computes it. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ptx.lm.serving.decoding import log_softmax

Rows = Sequence[Sequence[int]]
Answer = tuple[float, bool]  # log-probability in nats, and whether greedy decoding gives the continuation
Pair = tuple[Sequence[int], Sequence[int]]  # tokens of the context, tokens of the continuation
MOST_SCORES = 2**27  # scores of one forward pass, tokens times vocabulary: 512 MB in float32
ENOUGH = {"cpu": 256, "cuda": 2**14}  # tokens of a pass; more at once are read no faster
WASTE = 1 / 8  # the most padding per token of a pass that has enough of them


def groups(
    rows: Rows,
    size: int,
    vocabulary: int,
    *,
    in_order: bool = False,
    tokens: int | None = None,
    enough: int | None = None,
) -> Iterator[list[int]]:
    """Yield places of rows that are read together, the longest first, or (``in_order``) as they come.

    At most ``size`` rows, at most ``tokens`` with padding where that is given, and no more than fit when all
    are as long as the longest; with ``enough`` also no row that :func:`is_wasteful`. Empty rows are left out.
    """
    most = MOST_SCORES // vocabulary if tokens is None else min(tokens, MOST_SCORES // vocabulary)
    places = [place for place, row in enumerate(rows) if row or in_order]
    group: list[int] = []
    longest = own = 0
    for place in places if in_order else sorted(places, key=lambda place: -len(rows[place])):
        width = max(longest, len(rows[place]))
        whole = width * (len(group) + 1)
        if group and (
            len(group) >= size or whole > most or is_wasteful(own, len(rows[place]), whole, enough)
        ):
            yield group
            group, width, own = [], len(rows[place]), 0
        group, longest, own = [*group, place], width, own + len(rows[place])
    if group:
        yield group


def is_wasteful(own: int, more: int, whole: int, enough: int | None) -> bool:
    """Whether a row of ``more`` tokens had better wait for the next pass, because of the padding it brings.

    The rows before it have ``own`` tokens; with the row and with padding the pass would have ``whole``.
    """
    return enough is not None and own >= enough and whole > (1 + WASTE) * (own + more)


def padded(rows: Rows) -> list[list[int]]:
    """The rows in one length, with copies of their last token at the end; no token before it sees them."""
    width = max(map(len, rows))
    return [[*row, *[row[-1]] * (width - len(row))] for row in rows]


def longest_first(rows: Rows) -> list[int]:
    """The order in which rows need the least padding."""
    return sorted(range(len(rows)), key=lambda place: -len(rows[place]))


def read(lm: Any, rows: Rows) -> Iterator[tuple[int, Any]]:
    """Yield (place of a row, its logits (T, V)), the longest row first, as the runtime reads them fastest."""
    order = longest_first(rows)
    yield from zip(order, lm.logits([rows[place] for place in order]), strict=True)


def read_log_probs(lm: Any, rows: Rows) -> Iterator[tuple[int, Any]]:
    """Yield (place of a row, its log-probabilities (T, V)), the longest row first.

    A runtime that has ``log_probs`` computes them where its model is; float32 then, else float64.
    """
    if not hasattr(lm, "log_probs"):
        yield from ((place, log_softmax(np.asarray(logits))) for place, logits in read(lm, rows))
        return
    order = longest_first(rows)
    yield from zip(order, lm.log_probs([rows[place] for place in order]), strict=True)


def score_tokens(lm: Any, pairs: Sequence[Pair]) -> list[Answer]:
    """The log-probability of each continuation of token ids; by ``logits`` on a runtime that has no more.

    A pair longer than the model's context loses its beginning.
    """
    if hasattr(lm, "loglikelihood_tokens"):
        return list(lm.loglikelihood_tokens(pairs))
    rows = [[*context, *continuation][-(lm.max_length + 1) :][:-1] for context, continuation in pairs]
    answers: list[Answer] = [(0.0, True)] * len(pairs)
    order = [place for place in longest_first(rows) if pairs[place][1]]
    for place, scores in zip(order, lm.logits([rows[place] for place in order]), strict=True):
        target = np.array(pairs[place][1])[-len(rows[place]) :]
        log_probs = log_softmax(np.asarray(scores)[len(scores) - len(target) :])
        answers[place] = (
            float(log_probs[np.arange(len(target)), target].sum()),
            bool((log_probs.argmax(axis=-1) == target).all()),
        )
    return answers
