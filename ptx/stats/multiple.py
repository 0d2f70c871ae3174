"""Corrections for many comparisons with one baseline, and the power of a comparison."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ptx.stats.distributions import LEVEL, normal_quantile, t_quantile
from ptx.stats.paired import Difference


def holm(p_values: Sequence[float], tests: int = 0) -> list[float]:
    """Holm's step-down correction: adjusted p-values in the given order; compare them with 0.05.

    Twelve rows against one baseline, each at 5 %, make at least one false win likely over a few metrics. Holm
    bounds the probability of any false win, without assuming independence. It rejects every hypothesis that
    Bonferroni's correction rejects. ``tests`` is the number of comparisons if there are more than the given
    ones, none of them with a smaller p-value.
    """
    count = max(tests, len(p_values))
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The same differences with Holm's p-values: the verdicts are then jointly valid at 5 %."""
    return [one.with_p(p) for one, p in zip(differences, holm([one.p for one in differences]), strict=True)]


def minimum_detectable_effect(
    error: float, freedom: float = math.inf, power: float = 0.8, level: float = LEVEL
) -> float:
    """The smallest true difference that a two-sided test at ``level`` finds with probability ``power``.

    It is (t + t_power) · error (Miller 2024, eq. 9) with Student's quantiles. The second quantile is exact
    only for many items; from n = 10 on the result is within 1 %. ``error`` is the standard error of the
    difference: sqrt(var of the paired gaps / n) before a study, :attr:`Difference.error` after one.
    """
    if not 0.5 < power < 1:
        raise ValueError(f"power must lie between 0.5 and 1, got {power}")
    return (t_quantile((1 + level) / 2, freedom) + t_quantile(power, freedom)) * error


def items_needed(effect: float, spread: float, power: float = 0.8, level: float = LEVEL) -> int:
    """The number of items with which a test finds a difference of ``effect`` with probability ``power``.

    ``spread`` is the standard deviation of the paired gaps.
    """
    if effect <= 0 or spread < 0:
        raise ValueError(f"items_needed needs effect > 0 and spread >= 0, got {effect} and {spread}")
    z = normal_quantile((1 + level) / 2) + normal_quantile(power)
    n = max(2, math.ceil((z * spread / effect) ** 2))
    while minimum_detectable_effect(spread / math.sqrt(n), n - 1.0, power, level) > effect:
        n += 1  # Student's quantiles ask for two or three more than the normal ones
    return n
