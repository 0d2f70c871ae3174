"""Decoding that all runtimes share: sampling noise, stop strings, the text of a reply. Imports no torch.

Sampling takes the argmax of ``scores / temperature + Gumbel noise``, which has the same distribution as
sampling from the softmax (Gumbel 1954). Every prompt has its own generator, seeded by the call's seed and the
prompt's place. So the noise of a prompt does not depend on its batch, and two runtimes with the same seed use
the same noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LOOKBACK = 8  # more tokens to decode than the stop string has characters: one may need several byte tokens


class Generated(str):
    """A text that a runtime has generated: its number of tokens, and whether it ended by itself."""

    __slots__ = ("finished", "tokens")
    finished: bool
    tokens: int

    def __new__(cls, text: str, tokens: int, *, finished: bool) -> Self:
        """Make one: ``Generated("Yes.", 3, finished=True)``."""
        made = super().__new__(cls, text)
        made.tokens, made.finished = tokens, finished
        return made


def end_tokens(tokenizer: PreTrainedTokenizerBase, *given: int | Sequence[int] | None) -> list[int]:
    """The ids of the tokens that end a reply, on every runtime: those ``given`` and the tokenizer's own."""
    found = [token for one in given for token in (one if isinstance(one, Sequence) else [one])]
    return sorted({int(token) for token in (*found, tokenizer.eos_token_id) if token is not None})


class Noise:
    """Gumbel noise for sampling at a temperature, one generator per prompt."""

    def __init__(self, seeds: Iterable[int], temperature: float) -> None:
        self.generators = [np.random.default_rng(seed % 2**63) for seed in seeds]
        self.temperature = temperature

    def perturb(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """The scores (B, V) with temperature and the next noise applied; their argmax is a sample."""
        return np.asarray(
            scores.astype(np.float64) / self.temperature + self.draw(scores.shape[-1]), dtype=np.float32
        )

    def draw(self, width: int, rows: Sequence[int] | None = None) -> NDArray[np.float64]:
        """The next noise values of every prompt, or of those at the places ``rows``: (B, width)."""
        chosen = self.generators if rows is None else [self.generators[place] for place in rows]
        uniform = np.stack([one.random(width) for one in chosen])
        return np.asarray(-np.log(-np.log(np.maximum(uniform, np.finfo(np.float64).tiny))))


def prompt_seeds(seed: int, places: Iterable[int]) -> list[int]:
    """The seed of each prompt, from the call's seed and the prompt's place in the call."""
    return [hash((seed, place)) for place in places]


class Stops:
    """Finds stop strings in generated tokens."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop: Sequence[str]) -> None:
        self.tokenizer, self.stop = tokenizer, list(stop)
        self.tail = max((len(text) for text in self.stop), default=0) + LOOKBACK

    def met(self, new: Sequence[int]) -> bool:
        """Whether there is a stop string at the end of the new tokens; called after every token."""
        return bool(self.stop) and self._inside(list(new[-self.tail :]))

    def cut(self, new: Sequence[int]) -> list[int]:
        """The tokens up to and including the one that completes a stop string."""
        if not self.stop or not self._inside(list(new)):
            return list(new)
        return list(new[: next(count for count in range(len(new) + 1) if self._inside(list(new[:count])))])

    def _inside(self, ids: list[int]) -> bool:
        decoded = self.tokenizer.decode(ids)
        return any(text in decoded for text in self.stop)


def reply_text(
    tokenizer: PreTrainedTokenizerBase, new: Sequence[int], ends: Sequence[int], stop: Sequence[str]
) -> Generated:
    """The text of the new tokens up to the first token in ``ends``, without special tokens.

    It is cut before the first stop string, which may be a special token. It is finished when it has one of
    these two.
    """
    kept = list(new)[: next((place for place, token in enumerate(new) if token in ends), len(new))]
    cut = Stops(tokenizer, stop).cut(kept)
    reply = str(tokenizer.decode(cut, skip_special_tokens=True))
    shown = reply[: min([found for text in stop if (found := reply.find(text)) >= 0], default=len(reply))]
    stopped = bool(stop) and any(text in tokenizer.decode(cut) for text in stop)
    return Generated(shown, len(cut), finished=stopped or len(kept) < len(new))


def log_softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Log-probabilities along the last axis, in float64."""
    shifted = scores.astype(np.float64) - scores.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
