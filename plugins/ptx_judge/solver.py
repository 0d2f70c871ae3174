"""Two fits: a win-rate at equal length, and the strengths of many models from games between pairs.

Both are logistic models whose maximum-likelihood estimate may not exist. Then they return None, because a
number from the last iteration of a diverging fit looks like any other number. Pure functions, numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEPS, CLOSE = 100, 1e-9
DIVERGED = 30.0  # logits beyond this mean that the data are separated and the fit goes to infinity
FEWEST = 30  # with fewer questions a slope in length is noise
OVERLAP = 0.2  # share of questions on which ours must be longer, and on which theirs must be
FAR = 0.1  # distance from the raw win-rate that a reader is told of
MOST_LOST = 0.025  # share of resamples without an estimate that an interval tolerates


def length_controlled(outcomes: Array, ours: Array, theirs: Array) -> float | None:
    r"""The win-rate if both answers were equally long (Dubois et al. 2024, AlpacaEval 2), or None.

    .. math:: P(\text{win}) = \sigma(\theta + \phi \tanh((l - l') / \operatorname{std}(l - l')))

    fitted to the outcomes (N,) in {0, 0.5, 1} and lengths (N,); the result is :math:`\sigma(\theta)`. Their
    term for the difficulty of each instruction is left out: it is shared between the models of a leaderboard
    and cannot be estimated from a single comparison. None if one side is always longer, if there are fewer
    than 30 questions, or if the likelihood has no maximum (the outcomes are separated by length, or all the
    same).
    """
    gaps = ours - theirs
    spread = float(gaps.std())
    if len(gaps) < FEWEST or spread == 0 or gaps.min() >= 0 or gaps.max() <= 0:
        return None
    design = np.column_stack([np.ones_like(gaps), np.tanh(gaps / spread)])
    fitted = logistic(design, outcomes)
    return None if fitted is None else float(sigmoid(fitted[:1])[0])


def without_overlap(ours: Array, theirs: Array) -> str:
    """Why lengths are no basis for a win-rate at equal length; empty if they are.

    Equal length is an extrapolation where one side is nearly always longer. On AlpacaEval 2's stored verdicts
    the value was up to 28 points off in such comparisons, and 2 in others (docs/explanation/judge.md).
    """
    if len(ours) < FEWEST:
        return f"{len(ours)} questions with a verdict, {FEWEST} are the least"
    longer, shorter = float((ours > theirs).mean()), float((ours < theirs).mean())
    if min(longer, shorter) >= OVERLAP:
        return ""
    return (
        f"the lengths hardly overlap: our answer is longer on {longer:.0%} and shorter on {shorter:.0%} of"
        f" the questions, and {OVERLAP:.0%} of each are needed"
    )


def logistic(design: Array, outcomes: Array) -> Array | None:
    """Maximum-likelihood coefficients (K,) of a logistic regression by Newton's method.

    ``design`` is (N, K), ``outcomes`` (N,) in [0, 1]. None if the likelihood has no maximum.
    """
    beta = np.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = sigmoid(design @ beta)
        weights = chance * (1 - chance)
        information = design.T @ (design * weights[:, None])
        if np.linalg.cond(information) > 1 / CLOSE:
            return None
        step = np.linalg.solve(information, design.T @ (outcomes - chance))
        beta = beta + step
        if np.abs(design @ beta).max() > DIVERGED:
            return None
        if np.abs(step).max() < CLOSE:
            return beta
    return None


def sigmoid(logits: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(logits / 2)), dtype=np.float64)


def controlled_interval(
    outcomes: Array, ours: Array, theirs: Array, seed: int, repeats: int = 500
) -> tuple[float, float, float] | None:
    """(Value, low, high) of :func:`length_controlled` by a bootstrap over questions (95 %, percentiles).

    The whole fit is repeated on every resample. None if there is no estimate, or if more than 2.5 % of the
    resamples have none.
    """
    value = length_controlled(outcomes, ours, theirs)
    if value is None:
        return None
    draws = np.random.default_rng(seed).integers(0, len(outcomes), (repeats, len(outcomes)))
    fits = [length_controlled(outcomes[draw], ours[draw], theirs[draw]) for draw in draws]
    kept = [fit for fit in fits if fit is not None]
    if len(kept) < (1 - MOST_LOST) * repeats:
        return None
    low, high = np.quantile(kept, [0.025, 0.975])
    return value, min(float(low), value), max(float(high), value)


def bradley_terry(wins: Array) -> Array | None:
    r"""Strengths (K,) in logits with mean 0, from wins (K, K) (Bradley and Terry 1952).

    ``wins`` holds how often row beat column, a tie half for each.

    .. math:: P(i \text{ beats } j) = \sigma(s_i - s_j)

    Hunter 2004's minorisation (his eq. 3). The estimate exists only if the models cannot be split into two
    groups such that one never won, nor drew, against the other (Ford 1957); otherwise None.
    """
    if not connected(wins > 0):
        return None
    games, won = wins + wins.T, wins.sum(axis=1)
    strength = np.ones(len(wins))
    for _ in range(STEPS * STEPS):
        new = won / (games / (strength[:, None] + strength[None, :])).sum(axis=1)
        new /= np.exp(np.log(new).mean())
        if np.abs(np.log(new) - np.log(strength)).max() < CLOSE:
            return np.asarray(np.log(new), dtype=np.float64)
        strength = new
    return None


def connected(beats: NDArray[np.bool_]) -> bool:
    """Whether every model can be reached from every other along wins (K, K)."""
    reach = beats | np.eye(len(beats), dtype=bool)
    for _ in range(math.ceil(math.log2(max(len(beats), 2)))):
        reach = (reach.astype(np.int64) @ reach.astype(np.int64)) > 0
    return bool(reach.all())


def strengths(
    games: Sequence[Array], seed: int, repeats: int = 500
) -> list[tuple[float, float, float]] | None:
    """(Strength, low, high) of every model; ``games`` holds one wins matrix (K, K) per question.

    Questions are resampled, not games, because the games of one question are not independent. None without an
    estimate; if more than 2.5 % of the resamples have none, the intervals are infinite.
    """
    stacked = np.stack(games)  # (Q, K, K)
    value = bradley_terry(stacked.sum(axis=0))
    if value is None:
        return None
    draws = np.random.default_rng(seed).integers(0, len(stacked), (repeats, len(stacked)))
    fits = [fit for draw in draws if (fit := bradley_terry(stacked[draw].sum(axis=0))) is not None]
    if len(fits) < (1 - MOST_LOST) * repeats:
        return [(float(one), -math.inf, math.inf) for one in value]
    low, high = np.quantile(np.stack(fits), [0.025, 0.975], axis=0)
    return [
        (float(v), min(float(a), float(v)), max(float(b), float(v)))
        for v, a, b in zip(value, low, high, strict=True)
    ]
