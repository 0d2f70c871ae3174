"""KL divergence from the likeliest words of each position, kept, and all others as one. Pure; arrays are
numpy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def likeliest(log_probs: Any, count: int) -> tuple[Any, Any]:
    """(Words (T, K), their log-probabilities (T, K)), the likeliest first."""
    count = min(count, log_probs.shape[1])
    words = np.argpartition(-log_probs, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(log_probs, words, axis=1), axis=1, kind="stable")
    words = np.take_along_axis(words, order, axis=1)
    return words, np.take_along_axis(log_probs, words, axis=1)


def kl(words: Any, base: Any, ours: Any) -> Any:
    """KL(base || ours) in nats at each position, (T,): over the kept ``words`` (T, K) and all others as one
    word.

    ``base`` are the baseline's log-probabilities of these words (T, K), ``ours`` the model's of all words (T,
    V). Putting words together can only lower a KL divergence (data processing inequality); with all words
    kept it is exact.
    """
    chosen = np.take_along_axis(ours, words, axis=1)
    kept, left = np.exp(base), np.clip(1 - np.exp(base).sum(axis=1), 0.0, None)
    inside = (kept * (base - chosen)).sum(axis=1)
    if words.shape[1] == ours.shape[1]:
        return np.maximum(inside, 0.0)
    others = np.clip(1 - np.exp(chosen).sum(axis=1), 1e-300, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        outside = np.where(left > 1e-12, left * (np.log(left) - np.log(others)), 0.0)
    return np.maximum(inside + outside, 0.0)
