"""Windows over the tokens of a text, and the log-probabilities of its tokens out of logits. Pure; numpy
only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

SLICE = 256  # positions whose softmax is taken at once: with 150,000 words in double precision 300 MB


def windows(
    tokens: Sequence[int], prefix: int, size: int, overlap: int
) -> Iterator[tuple[list[int], list[int]]]:
    """(Tokens read, tokens predicted at the end of them), each token predicted once; lm-eval's
    ``get_rolling_token_windows``.

    The first window begins with ``prefix``; each further one reads the ``overlap`` tokens before those it
    predicts, the last one as many as fit.
    """
    first = min(size, len(tokens))
    if first:
        yield [prefix, *tokens[: first - 1]], list(tokens[:first])
    done = first
    while done < len(tokens):
        end = min(len(tokens), done + size - overlap + 1)
        yield list(tokens[end - size - 1 : end - 1]), list(tokens[done:end])
        done = end


def log_probs(logits: Any, targets: Sequence[int]) -> Any:
    """Log-probability in nats of each target (C,) under the last C rows of ``logits`` (T, V)."""
    chosen = np.asarray(logits)[len(logits) - len(targets) :]
    found = np.empty(len(targets))
    for start in range(0, len(targets), SLICE):
        part = chosen[start : start + SLICE].astype(np.float64)
        peak = part.max(axis=1)
        total = peak + np.log(np.exp(part - peak[:, None]).sum(axis=1))
        found[start : start + SLICE] = part[np.arange(len(part)), targets[start : start + SLICE]] - total
    return found
