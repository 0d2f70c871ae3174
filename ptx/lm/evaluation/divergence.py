"""KL divergence from the most likely words of each position, with all other words summed into one.

The functions are pure and work on numpy arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def likeliest(log_probs: NDArray[Any], count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """(Ids (T, K), log-probabilities (T, K)) of the ``count`` most likely words, the likeliest first."""
    count = min(count, log_probs.shape[1])
    words = np.argpartition(-log_probs, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(log_probs, words, axis=1), axis=1, kind="stable")
    words = np.take_along_axis(words, order, axis=1)
    return words, np.take_along_axis(log_probs, words, axis=1)


ROUNDING = 1e-6  # of a sum of probabilities whose logarithms are float32


def kl(words: NDArray[Any], base: NDArray[Any], ours: NDArray[Any]) -> NDArray[Any]:
    """KL(base || ours) in nats at each position, (T,), over ``words`` (T, K) and one word for all others.

    ``base`` holds the baseline's log-probabilities of ``words`` (T, K), ``ours`` the model's of all words
    (T, V). Summing words into one can only lower a KL divergence (data processing inequality); it is exact if
    all words are kept.
    """
    chosen = np.take_along_axis(ours, words, axis=1).astype(np.float64)
    # what is left of 1 is known to the rounding of the log-probabilities, and not below
    least, floor = (1e-12, 1e-300) if ours.dtype == np.float64 else (ROUNDING, ROUNDING)
    kept, left = np.exp(base), np.clip(1 - np.exp(base).sum(axis=1), 0.0, None)
    inside = (kept * (base - chosen)).sum(axis=1)
    if words.shape[1] == ours.shape[1]:
        return np.asarray(np.maximum(inside, 0.0))
    others = np.clip(1 - np.exp(chosen).sum(axis=1), floor, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        outside = np.where(left > least, left * (np.log(left) - np.log(others)), 0.0)
    return np.asarray(np.maximum(inside + outside, 0.0))
