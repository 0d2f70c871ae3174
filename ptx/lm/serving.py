"""What a runtime that works on token ids does to be a :class:`ptx.LanguageModel`: prompts to rows of one length, rows to replies and scores.

A runtime brings two things: ``prefill``, the scores after every token of some rows, and ``continued``, the new tokens of some rows. It is
asked with rows of one length only, which needs no padding, so a row's result does not depend on its neighbours. Torch-free.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptx.lm.replies import Noise, log_softmax, reply_of, seeds_of
from ptx.lm.tokens import encode, encode_pair

Rows = Sequence[Sequence[int]]


class Served(Protocol):
    """A model that answers in token ids."""

    max_length: int
    batch_size: int

    @property
    def tokenizer(self) -> Any:
        """Of transformers' kind."""

    @property
    def ends(self) -> list[int]:
        """The tokens that end a reply."""

    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        """Scores after every token of ``rows``, all of one length: (B, T, V)."""

    def continued(self, rows: Rows, most: int, stop: Sequence[str], temperature: float, noise: Noise | None) -> list[list[int]]:
        """At most ``most`` new tokens of each of ``rows``, all of one length, up to and with its end token or the one that completes a stop string."""


def generate(lm: Served, prompts: Sequence[str], most: int, stop: Sequence[str], temperature: float, seed: int) -> list[str]:
    """Continue each prompt; a prompt too long for the model loses its beginning."""
    room = max(1, lm.max_length - most)
    encoded = [encode(lm.tokenizer, prompt)[-room:] or [lm.ends[0]] for prompt in prompts]
    answers = [""] * len(encoded)
    for places in batches(encoded, lm.batch_size):
        noise = Noise(seeds_of(seed, places)) if temperature > 0 else None
        made = lm.continued([encoded[place] for place in places], most, stop, temperature, noise)
        for place, new in zip(places, made, strict=True):
            answers[place] = reply_of(lm.tokenizer, new, lm.ends, stop)
    return answers


def loglikelihood(lm: Served, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
    """Log-probability in nats of each continuation, and whether greedy decoding gives it."""
    encoded = [encode_pair(lm.tokenizer, *pair) for pair in pairs]
    # the last token is only predicted, never read; what is too long loses its beginning
    inputs = [(context + continuation)[-(lm.max_length + 1) :][:-1] for context, continuation in encoded]
    scores: list[tuple[float, bool]] = [(0.0, True)] * len(encoded)
    for places in batches([row if pair[1] else [] for row, pair in zip(inputs, encoded, strict=True)], lm.batch_size):
        for place, predicted in zip(places, lm.prefill([inputs[place] for place in places]), strict=True):
            target = np.array(encoded[place][1][-len(predicted) :])
            log_probs = log_softmax(predicted[-len(target) :])  # (C, V)
            chosen = log_probs[np.arange(len(target)), target].sum()
            scores[place] = float(chosen), bool((log_probs.argmax(axis=-1) == target).all())
    return scores


def batches(rows: Rows, size: int) -> Iterator[list[int]]:
    """Places of rows with the same number of tokens, at most ``size`` together, the longest first; empty rows are left out."""
    alike: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        alike.setdefault(len(row), []).append(place)
    alike.pop(0, None)
    for _, places in sorted(alike.items(), reverse=True):
        for start in range(0, len(places), size):
            yield places[start : start + size]
