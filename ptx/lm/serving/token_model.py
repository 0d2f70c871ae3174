"""A base class for runtimes that work on token ids; it makes them a :class:`ptx.LanguageModel`.

A runtime derives from :class:`TokenModel` and implements two methods: ``prefill``, which gives the scores
after every token of some rows, and ``steps``, which generates the following tokens. All rows of a call have
the same length: prompts go together where their lengths are equal, and texts that are scored are padded at
their end, which no token before it can see. So the result of a row does not depend on the others. Imports no
torch.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ptx.files import read_json
from ptx.lm.serving.decoding import Noise, Stops, end_tokens, log_softmax, prompt_seeds, reply_text
from ptx.lm.serving.scoring import ENOUGH, Answer, Pair, groups, padded
from ptx.lm.tokens import encode, encode_pair
from ptx.machine import release_memory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Rows = Sequence[Sequence[int]]
Scored = list[tuple[float, int]]


class TokenModel(ABC):
    """A model folder opened by a library that works on token ids; implements :class:`ptx.LanguageModel`."""

    emulated = ""
    concurrent = False  # whether several threads may call it at once; set by runtimes whose library allows it

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
        self._ends = ends

    @abstractmethod
    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        """Scores after every token of ``rows``, all of one length: (B, T, V)."""

    @abstractmethod
    def steps(
        self, rows: Rows, most: int, noise: Noise | None = None, *, endless: bool = False
    ) -> Iterator[NDArray[Any]]:
        """Yield the next token of each of ``rows``, all of one length: (B,), up to ``most`` times.

        Each is the argmax of the scores, or of the scores with ``noise``. The caller stops when every row has
        ended; with ``endless`` an end token must not end a row.
        """

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The folder's tokenizer, loaded on first use: a process that measures time and memory needs none."""
        from ptx.lm.load import load_tokenizer

        return load_tokenizer(self.folder)

    @cached_property
    def ends(self) -> list[int]:
        """The ids of the tokens that end a reply."""
        file = self.folder / "generation_config.json" if self.folder else None
        settings = read_json(file) if file and file.is_file() else {}
        return end_tokens(self.tokenizer, self._ends, settings.get("eos_token_id"))

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """Generate a reply to each prompt; a prompt too long for the context loses its beginning."""
        room = max(1, self.max_length - max_new_tokens)
        encoded = [encode(self.tokenizer, prompt)[-room:] or [self.ends[0]] for prompt in prompts]
        answers = [""] * len(encoded)
        for places in batches(encoded, self.batch_size):
            noise = Noise(prompt_seeds(seed, places), temperature) if temperature > 0 else None
            made = self.complete([encoded[place] for place in places], max_new_tokens, stop, noise)
            for place, new in zip(places, made, strict=True):
                answers[place] = reply_text(self.tokenizer, new, self.ends, stop)
        return answers

    def sampled(
        self, rows: Rows, most: int, temperature: float, seed: int
    ) -> list[tuple[list[int], list[float]]]:
        """Tokens drawn after each of ``rows``, and the log-probability of each at this temperature.

        For ``method.rollout``. The last token of an answer that ended is its end token.
        """
        found: list[tuple[list[int], list[float]]] = [([], [])] * len(rows)
        for places in batches(rows, self.batch_size):
            noise = Noise(prompt_seeds(seed, places), temperature)
            made = self.complete([rows[place] for place in places], most, (), noise)
            read = [[*rows[place], *new[:-1]] for place, new in zip(places, made, strict=True)]
            for place, row, new, scores in zip(places, read, made, self.prefill(padded(read)), strict=True):
                log_probs = log_softmax(scores[len(row) - len(new) : len(row)] / temperature)
                found[place] = new, log_probs[np.arange(len(new)), new].tolist()
        return found

    def complete(self, rows: Rows, most: int, stop: Sequence[str], noise: Noise | None) -> list[list[int]]:
        """At most ``most`` new tokens for each of ``rows``, all of one length.

        The last one is an end token, or the token that completes a stop string.
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
        """The log-probability in nats of each continuation, and whether greedy decoding produces it."""
        return self.loglikelihood_tokens([encode_pair(self.tokenizer, *pair) for pair in pairs])

    def loglikelihood_tokens(self, pairs: Sequence[Pair]) -> list[Answer]:
        """The same for token ids."""
        # the last token is predicted but never read; a pair that is too long loses its beginning
        inputs = [[*context, *continuation][-(self.max_length + 1) :][:-1] for context, continuation in pairs]
        scores: list[Answer] = [(0.0, True)] * len(pairs)
        asked = [row if pair[1] else [] for row, pair in zip(inputs, pairs, strict=True)]
        for places in groups(asked, self.batch_size, self.vocabulary, enough=ENOUGH["cpu"]):
            rows = [inputs[place] for place in places]
            targets = [list(pairs[place][1])[-len(inputs[place]) :] for place in places]
            for place, target, found in zip(places, targets, self.scored(rows, targets), strict=True):
                scores[place] = (
                    float(sum(log_prob for log_prob, _ in found)),
                    [token for _, token in found] == target,
                )
        return scores

    def scored(self, rows: Rows, targets: Rows) -> list[Scored]:
        """(Log-probability in nats, most likely token) for each token of the targets.

        The C targets of a row are the tokens after each of its last C tokens.
        """
        answers: list[Scored] = []
        for predicted, row, chosen in zip(self.prefill(padded(rows)), rows, targets, strict=True):
            target = np.array(chosen)
            log_probs = log_softmax(predicted[len(row) - len(target) : len(row)])  # (C, V)
            found = log_probs[np.arange(len(target)), target]
            answers.append(list(zip(found.tolist(), log_probs.argmax(axis=-1).tolist(), strict=True)))
        return answers

    def logits(self, rows: Rows) -> Iterator[Any]:
        """Yield for each row the scores of the next token after each of its tokens: float32 (T, V).

        Rows that follow each other are read together, so a caller should pass them sorted by length.
        """
        for places in groups(rows, self.batch_size, self.vocabulary, in_order=True, enough=ENOUGH["cpu"]):
            part = [rows[place] for place in places]
            for row, scores in zip(part, self.prefill(padded(part)), strict=True):
                yield scores[: len(row)]

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """(Seconds to the first new token, seconds from there to the last) of a request of random tokens.

        The request never ends early.
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
        """Release the model and free its memory."""
        self.model = None
        release_memory()


class Reader(Protocol):
    """Reads tokens of some rows and keeps them in a cache."""

    def read(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Append tokens (B, T) and return the scores after each, (B, T, V).

        The next call may overwrite the returned array.
        """


class ReadingModel(TokenModel):
    """A token model with a separate cache per call; it implements ``prefill`` and ``steps`` with readers."""

    concurrent = True

    @abstractmethod
    def reader(self, count: int) -> Reader:
        """A new reader for ``count`` rows."""

    @override
    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        # the variable keeps the reader alive until the scores are copied out of its memory
        reader = self.reader(len(rows))
        return reader.read(np.array(rows)).copy()

    @override
    def steps(
        self,
        rows: Rows,
        most: int,
        noise: Noise | None = None,
        *,
        endless: bool = False,
    ) -> Iterator[NDArray[Any]]:
        reader, given = self.reader(len(rows)), np.array(rows)
        for _ in range(most):
            scores = reader.read(given)[:, -1]  # (B, V)
            tokens = (scores if noise is None else noise.perturb(scores)).argmax(axis=-1)
            yield tokens
            given = tokens[:, None]


def threads() -> int:
    """OMP_NUM_THREADS, for libraries that do not read it themselves; 0 if it is not set."""
    return int(os.environ.get("OMP_NUM_THREADS") or 0)


def batches(rows: Rows, size: int) -> Iterator[list[int]]:
    """Yield places of rows with the same number of tokens, at most ``size`` at a time, the longest first.

    Empty rows are left out.
    """
    by_length: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        by_length.setdefault(len(row), []).append(place)
    by_length.pop(0, None)
    for _, places in sorted(by_length.items(), reverse=True):
        for start in range(0, len(places), size):
            yield places[start : start + size]
