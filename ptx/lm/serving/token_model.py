"""What a runtime that works on token ids does to be a :class:`ptx.LanguageModel`: prompts to rows of one
length, rows to replies and scores.

A runtime derives from :class:`TokenModel`, says what it opened, and brings two things: ``prefill``, the
scores after every token of some rows, and ``steps``, what follows them token by token. It is asked with rows
of one length only, which needs no padding, so a row's result does not depend on its neighbours. Torch-free.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ptx.lm.serving.decoding import Noise, Stops, log_softmax, prompt_seeds, reply_text
from ptx.lm.tokens import encode, encode_pair
from ptx.machine import release_memory

Rows = Sequence[Sequence[int]]
Scored = list[tuple[float, int]]


class TokenModel(ABC):
    """A folder opened by a library that answers in token ids; implements :class:`ptx.LanguageModel`."""

    emulated = ""
    concurrent = False  # whether several threads may ask at once; to be said by who knows the library

    def __init__(
        self,
        folder: Path,
        model: Any,
        *,
        max_length: int,
        vocabulary: int,
        ends: int | list[int] | None,
        batch_size: int,
    ) -> None:
        self.folder, self.model, self.batch_size = folder, model, batch_size
        self.max_length, self.vocabulary = max_length, vocabulary
        self._ends = ends if isinstance(ends, list) else [ends]

    @abstractmethod
    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        """Scores after every token of ``rows``, all of one length: (B, T, V)."""

    @abstractmethod
    def steps(
        self, rows: Rows, most: int, noise: Noise | None = None, *, endless: bool = False
    ) -> Iterator[NDArray[Any]]:
        """The next token of each of ``rows``, all of one length: (B,), ``most`` times, greedily over the
        scores or over those with ``noise``.

        Who asks stops when every row has ended; with ``endless`` an end token must not be one.
        """

    @cached_property
    def tokenizer(self) -> Any:
        """The folder's tokenizer, read when it is first asked for: a process that measures time and memory
        needs none.
        """
        from ptx.lm.load import load_tokenizer

        return load_tokenizer(self.folder)

    @cached_property
    def ends(self) -> list[int]:
        """The tokens that end a reply."""
        return sorted(
            {int(token) for token in (*self._ends, self.tokenizer.eos_token_id) if token is not None}
        )

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """Continue each prompt; a prompt too long for the model loses its beginning."""
        room = max(1, self.max_length - max_new_tokens)
        encoded = [encode(self.tokenizer, prompt)[-room:] or [self.ends[0]] for prompt in prompts]
        answers = [""] * len(encoded)
        for places in batches(encoded, self.batch_size):
            noise = Noise(prompt_seeds(seed, places), temperature) if temperature > 0 else None
            made = self.complete([encoded[place] for place in places], max_new_tokens, stop, noise)
            for place, new in zip(places, made, strict=True):
                answers[place] = reply_text(self.tokenizer, new, self.ends, stop)
        return answers

    def complete(self, rows: Rows, most: int, stop: Sequence[str], noise: Noise | None) -> list[list[int]]:
        """At most ``most`` new tokens of each of ``rows``, all of one length, up to and with its end token or
        the one that completes a stop string.
        """
        stops, ends = Stops(self.tokenizer, stop), set(self.ends)
        made: list[list[int]] = [[] for _ in rows]
        going = set(range(len(rows)))
        for tokens in self.steps(rows, min(most, self.max_length - len(rows[0])), noise):
            for index in sorted(going):
                made[index].append(int(tokens[index]))
                if made[index][-1] in ends or stops.met(made[index]):
                    going.discard(index)
            if not going:
                break
        return made

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """Log-probability in nats of each continuation, and whether greedy decoding gives it."""
        encoded = [encode_pair(self.tokenizer, *pair) for pair in pairs]
        # the last token is only predicted, never read; what is too long loses its beginning
        inputs = [
            (context + continuation)[-(self.max_length + 1) :][:-1] for context, continuation in encoded
        ]
        scores: list[tuple[float, bool]] = [(0.0, True)] * len(encoded)
        for places in batches(
            [row if pair[1] else [] for row, pair in zip(inputs, encoded, strict=True)], self.batch_size
        ):
            rows = [inputs[place] for place in places]
            targets = [encoded[place][1][-len(rows[0]) :] for place in places]
            for place, target, found in zip(places, targets, self.scored(rows, targets), strict=True):
                scores[place] = (
                    float(sum(log_prob for log_prob, _ in found)),
                    [token for _, token in found] == target,
                )
        return scores

    def scored(self, rows: Rows, targets: Rows) -> list[Scored]:
        """Log-probability in nats of each target, and the likeliest token in its place: those of a row follow
        its last C tokens, one each.

        Rows are all of one length.
        """
        answers: list[Scored] = []
        for predicted, row in zip(self.prefill(rows), targets, strict=True):
            target = np.array(row)
            log_probs = log_softmax(predicted[-len(target) :])  # (C, V)
            chosen = log_probs[np.arange(len(target)), target]
            answers.append(list(zip(chosen.tolist(), log_probs.argmax(axis=-1).tolist(), strict=True)))
        return answers

    def logits(self, rows: Rows) -> Iterator[Any]:
        """Scores of the next token after each token, one row at a time: float32 (T, V)."""
        for row in rows:
            yield self.prefill([row])[0]

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Seconds to the first new token, and from there to the last, of one request of random tokens that
        never ends early.
        """
        rows = np.random.default_rng(0).integers(0, self.vocabulary, (batch_size, prompt_tokens)).tolist()
        started = time.perf_counter()
        steps = self.steps(rows, new_tokens, endless=True)
        next(steps)
        first = time.perf_counter()
        for _ in steps:
            pass
        return first - started, time.perf_counter() - first

    def close(self) -> None:
        """Free the memory."""
        self.model = None
        release_memory()


class Reader(Protocol):
    """Rows of one length that are being read; what was read is kept."""

    def read(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Append (B, T) tokens; the scores after each of them, (B, T, V), which the next call may
        overwrite.
        """


class ReadingModel(TokenModel):
    """One that reads tokens into a cache of their own: ``prefill`` and ``steps`` follow from that, with any
    number of readers at once.
    """

    concurrent = True

    @abstractmethod
    def reader(self, count: int) -> Reader:
        """A new one for ``count`` rows."""

    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        """Scores after every token of ``rows``, all of one length: (B, T, V)."""
        reader = self.reader(
            len(rows)
        )  # held until the scores are copied: its memory may be another's afterwards
        return reader.read(np.array(rows)).copy()

    def steps(
        self,
        rows: Rows,
        most: int,
        noise: Noise | None = None,
        *,
        endless: bool = False,
    ) -> Iterator[NDArray[Any]]:
        """The next token of each row, ``most`` times."""
        reader, given = self.reader(len(rows)), np.array(rows)
        for _ in range(most):
            scores = reader.read(given)[:, -1]  # (B, V)
            tokens = (scores if noise is None else noise.perturb(scores)).argmax(axis=-1)
            yield tokens
            given = tokens[:, None]


def threads() -> int:
    """The number of threads this process was given, for libraries that do not ask for it themselves; 0: none
    was said.
    """
    return int(os.environ.get("OMP_NUM_THREADS") or 0)


def batches(rows: Rows, size: int) -> Iterator[list[int]]:
    """Places of rows with the same number of tokens, at most ``size`` together, the longest first; empty rows
    are left out.
    """
    alike: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        alike.setdefault(len(row), []).append(place)
    alike.pop(0, None)
    for _, places in sorted(alike.items(), reverse=True):
        for start in range(0, len(places), size):
            yield places[start : start + size]
