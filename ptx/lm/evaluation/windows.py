"""Windows over the tokens of a text, and log-probabilities of tokens from logits. Needs only numpy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

SLICE = 256  # positions per softmax: with 150,000 words in double precision 300 MB


def windows(
    tokens: Sequence[int], prefix: int, size: int, overlap: int
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield (tokens read, tokens predicted) of each window; every token is predicted once.

    The windows are those of lm-eval's ``get_rolling_token_windows``. The first one begins with ``prefix``.
    Each further one also reads the ``overlap`` tokens before the predicted ones, and the last one as many as
    fit.
    """
    first = min(size, len(tokens))
    if first:
        yield [prefix, *tokens[: first - 1]], list(tokens[:first])
    done = first
    while done < len(tokens):
        end = min(len(tokens), done + size - overlap + 1)
        yield list(tokens[end - size - 1 : end - 1]), list(tokens[done:end])
        done = end


def log_probs(logits: ArrayLike, targets: Sequence[int]) -> NDArray[np.float64]:
    """The log-probability in nats of each target (C,), from the last C rows of ``logits`` (T, V)."""
    scores = np.asarray(logits)
    chosen = scores[len(scores) - len(targets) :]
    found = np.empty(len(targets))
    for start in range(0, len(targets), SLICE):
        part = chosen[start : start + SLICE].astype(np.float64)
        peak = part.max(axis=1)
        total = peak + np.log(np.exp(part - peak[:, None]).sum(axis=1))
        found[start : start + SLICE] = part[np.arange(len(part)), targets[start : start + SLICE]] - total
    return found
