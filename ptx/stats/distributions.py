"""Quantiles and tail probabilities, with the standard library only; the tests compare them with scipy."""

from __future__ import annotations

import functools
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95
MANY = 100  # degrees of freedom
NEARLY_ZERO = 1e-300


def normal_quantile(level: float) -> float:
    """Standard normal quantile."""
    return NormalDist().inv_cdf(level)


def t_tail(t: float, freedom: float) -> float:
    """P(T > t) of Student's t, for t >= 0 and ``freedom`` degrees of freedom.

    By the regularised incomplete beta function (Abramowitz and Stegun 26.7.1); for many degrees of freedom by
    Hill's expansion (1970, algorithm 395), which is then exact to seven digits and forty times as fast.
    """
    if math.isinf(freedom):
        return math.erfc(t / math.sqrt(2)) / 2
    if freedom >= MANY:
        return math.erfc(_normal_deviate(t, freedom) / math.sqrt(2)) / 2
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2


def _normal_deviate(t: float, freedom: float) -> float:
    """The standard normal deviate with the tail of t (Hill 1970)."""
    y = (freedom - 0.5) * math.log1p(t * t / freedom)
    return math.sqrt(y) * float(_stretch(y, freedom))


def _stretch(y: Any, freedom: Any) -> Any:
    """The last factor of Hill's expansion, of numbers or of arrays."""
    a = freedom - 0.5
    b = 48 * a * a
    return 1 + (y + 3 + (((-0.4 * y - 3.3) * y - 24) * y - 85.5) / (0.8 * y * y + 100 + b)) / b


def t_tails(t: NDArray[Any], freedom: NDArray[Any]) -> NDArray[Any]:
    """:func:`t_tail` of many; those with few degrees of freedom are computed one by one."""
    import numpy as np

    many = (freedom >= MANY) & np.isfinite(freedom) & np.isfinite(t)
    found = np.empty(len(t))
    y = (freedom[many] - 0.5) * np.log1p(t[many] * t[many] / freedom[many])
    deviates = np.sqrt(y) * _stretch(y, freedom[many]) / math.sqrt(2)
    found[many] = [math.erfc(one) / 2 for one in deviates.tolist()]
    found[~many] = [t_tail(*pair) for pair in zip(t[~many].tolist(), freedom[~many].tolist(), strict=True)]
    return found


@functools.cache
def t_quantile(level: float, freedom: float) -> float:
    """Student's t quantile for 0.5 < level < 1, by Newton's steps on :func:`t_tail` to 1e-12 relative.

    The tail is convex, so the steps come from below; one that would leave the bracket is a bisection.
    """
    if math.isinf(freedom):
        return normal_quantile(level)
    low, high, t = 0.0, math.inf, normal_quantile(level)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi * freedom)
    for _ in range(200):
        gap = t_tail(t, freedom) - (1 - level)
        low, high = (t, high) if gap > 0 else (low, t)
        density = scale * math.exp(-(freedom + 1) / 2 * math.log1p(t * t / freedom))
        new = t + gap / density if density > 0 else high
        if not low <= new < high:
            new = (low + high) / 2 if math.isfinite(high) else 2 * t
        if abs(new - t) <= 1e-12 * new:
            return new
        t = new
    return t


def beta_quantile(level: float, a: float, b: float) -> float:
    """The quantile of a beta distribution, for positive ``a`` and ``b``.

    Newton's steps on I_x(a, b) inside a bracket; a step that would leave it is replaced by a bisection.
    """
    low, high, x = 0.0, 1.0, _near_beta_quantile(level, a, b)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    for _ in range(200):
        gap = _incomplete_beta(x, a, b) - level
        low, high = (x, high) if gap < 0 else (low, x)
        density = math.exp(scale + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        new = x - gap / density if density > 0 else low
        new = new if low < new < high else (low + high) / 2
        if abs(new - x) <= 1e-11 * x or new in (0.0, 1.0):
            return new
        x = new
    return x


def _near_beta_quantile(level: float, a: float, b: float) -> float:
    """A first guess (Abramowitz and Stegun 26.5.22); the mean where that has no value."""
    if a > 0.6 and b > 0.6:
        z, p, q = -normal_quantile(level), 1 / (2 * a - 1), 1 / (2 * b - 1)
        bend, h = (z * z - 3) / 6, 2 / (p + q)
        if bend + h > 0:
            w = z * math.sqrt(bend + h) / h - (q - p) * (bend + 5 / 6 - 2 / (3 * h))
            guess = a / (a + b * math.exp(min(700.0, 2 * w)))
            if 0 < guess < 1:
                return guess
    return a / (a + b)


def binomial_tail(most: int, n: int, q: float = 0.5) -> float:
    """P(X <= most) for X ~ binomial(n, q)."""
    return min(1.0, math.fsum(math.exp(log_binomial(count, n, q)) for count in range(most + 1)))


def log_binomial(count: int, n: int, q: float) -> float:
    """Logarithm of P(X = count) for X ~ binomial(n, q), 0 < q < 1."""
    choose = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
    return choose + count * math.log(q) + (n - count) * math.log1p(-q)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b) by Lentz's continued fraction (Press et al., Numerical Recipes 6.4).

    Lentz replaces numbers near zero. Here each is one and another, so it is zero or at least 1e-16.
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    scale = (
        math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
        / a
    )
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or NEARLY_ZERO)
    result = d
    for m in range(1, 3000):  # about the square root of the larger of a and b
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / (1 + step * d or NEARLY_ZERO), 1 + step / c or NEARLY_ZERO
            result *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return scale * result
