"""Windows over the tokens of a text. Imports no ML library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


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
