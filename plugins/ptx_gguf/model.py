"""A GGUF file on llama.cpp, through its own server in this process (xllamacpp).

What the server offers, and how it is used for generation, log-likelihood and scores:

- it returns no scores of a prompt's tokens, only of the next token. So a text is scored from its hidden
  states (:mod:`ptx_gguf.reading`); or, with ``scoring="stepwise"`` or beyond what is read at once, token by
  token, where each request continues from the cache of the one before
- its log-probabilities are those of the raw scores, also where a bias decided the choice: the token to be
  scored is forced, and one request returns its log-probability and the likeliest token, whatever the size of
  the vocabulary
- it returns none for a token that is a part of a character: the end token is forced instead, and the part is
  looked up among all tokens
- it keeps earlier texts and reuses what a new text shares with them: the first request of every text starts
  without a cache, so that an answer does not depend on earlier requests
- it listens on a port of this machine, for requests with a random key: used to split texts
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ptx.lm.serving.decoding import Noise
from ptx.lm.serving.token_model import Rows, Scored, TokenModel
from ptx.models.package import read_package
from ptx_gguf import SCORING
from ptx_gguf.reading import Reading
from ptx_gguf.server import post, raise_error, serve

FILE = "model.gguf"
AT_ONCE, STEPWISE = SCORING
FORCED = 1e6  # added to a token's score, so that it is chosen


class GgufLanguageModel(TokenModel):
    """A package opened with llama.cpp."""

    concurrent = True  # the server queues requests for which it has no slot

    def __init__(self, folder: Path, context: int, slots: int = 1, scoring: str = AT_ONCE) -> None:
        described = read_package(folder)
        length = min(context, described["context_length"])
        self.key, self.scoring = secrets.token_hex(), scoring
        self._reading: Reading | None = None
        self._opening = threading.Lock()
        super().__init__(
            folder,
            serve(folder / FILE, length * slots, slots, self.key),
            max_length=length,
            vocabulary=described["vocab_size"],
            ends=described["eos_token_id"],
            batch_size=1,
        )

    @property
    def begins(self) -> bool:
        """Whether llama.cpp puts a token before every text that it splits by itself."""
        return self.split("x", adds=True)[:1] != self.split("x")[:1]

    def split(self, text: str, *, adds: bool = False) -> list[int]:
        """Return the tokens of ``text`` by the tokenizer in the file; special tokens in it count as such.

        With ``adds`` llama.cpp adds those that the file tells it to add.
        """
        body = {"content": text, "add_special": adds, "parse_special": True}
        return [int(token) for token in post(self.model, "/tokenize", body, self.key)["tokens"]]

    @override
    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        return np.stack([self._after(row) for row in rows])

    def _after(self, row: Sequence[int]) -> NDArray[np.float32]:
        """Return the log-probabilities of all tokens after each token of ``row``, (T, V)."""
        if reading := self._reads(row):
            return np.concatenate([*reading.log_probs(row, len(row))])
        return np.stack([self._all(row[: place + 1], place > 0) for place in range(len(row))])

    @override
    def scored(self, rows: Rows, targets: Rows) -> list[Scored]:
        return [self._targets(row, chosen) for row, chosen in zip(rows, targets, strict=True)]

    def _targets(self, row: Sequence[int], chosen: Sequence[int]) -> Scored:
        """Return each target's log-probability and the likeliest token there."""
        if reading := self._reads(row):
            told = (after for part in reading.log_probs(row, len(chosen)) for after in part)
            return [
                (float(after[token]), int(after.argmax())) for token, after in zip(chosen, told, strict=True)
            ]
        return [
            self._scored(row[: len(row) - len(chosen) + 1 + place], token, place > 0)
            for place, token in enumerate(chosen)
        ]

    def _reads(self, row: Sequence[int]) -> Reading | None:
        """What reads ``row`` at once; None where it is scored token by token."""
        if self.scoring != AT_ONCE:
            return None
        with self._opening:
            if self._reading is None:
                self._reading = Reading(self.folder / FILE, self.max_length)
        return self._reading if len(row) <= self._reading.longest else None

    @override
    def close(self) -> None:
        self._reading = None
        super().close()

    @override
    def steps(
        self, rows: Rows, most: int, noise: Noise | None = None, *, endless: bool = False
    ) -> Iterator[NDArray[Any]]:
        if noise is None and len(rows) > 1:  # one after the other: each continues from its own cache
            apart = [list(self.steps([row], most)) for row in rows]
            yield from (np.concatenate(tokens) for tokens in zip(*apart, strict=True))
            return
        texts = [list(row) for row in rows]
        for step in range(most):
            goes_on = step > 0 and len(texts) == 1
            if noise is None:
                tokens = np.array(
                    [self._ask(text, goes_on, self.ends[0], 1)["top_logprobs"][0]["id"] for text in texts]
                )
            else:
                tokens = noise.perturb(np.stack([self._all(text, goes_on) for text in texts])).argmax(axis=-1)
            for text, token in zip(texts, tokens.tolist(), strict=True):
                text.append(token)
            yield tokens

    def _scored(self, row: Sequence[int], target: int, goes_on: bool) -> tuple[float, int]:
        """Return the log-probability of ``target`` after ``row``, and the likeliest token."""
        try:
            found = self._ask(row, goes_on, target, 1)
            return float(found["logprob"]), int(found["top_logprobs"][0]["id"])
        except PartOfCharacterError:
            scores = self._all(row, goes_on)
            return float(scores[target]), int(scores.argmax())

    def _all(self, row: Sequence[int], goes_on: bool) -> NDArray[np.float32]:
        """Return the log-probabilities of all tokens after ``row``, (V,)."""
        scores = np.full(self.vocabulary, -np.inf, dtype=np.float32)
        for token in self._ask(row, goes_on, self.ends[0], self.vocabulary)["top_logprobs"]:
            scores[token["id"]] = token["logprob"]
        return scores

    def _ask(self, row: Sequence[int], goes_on: bool, forced: int, most: int) -> dict[str, Any]:
        """Return the server's answer for the token ``forced`` after ``row``, and for the ``most`` likeliest.

        With ``goes_on`` the request may continue from the text of the request before.
        """
        request = {
            "prompt": list(row),
            "max_tokens": 1,
            "temperature": 0.0,
            "n_probs": most,
            "logit_bias": [[forced, FORCED]],
        }
        answer = self.model.handle_completions(request | {"cache_prompt": goes_on, "id_slot": 0})
        raise_error(answer)
        logprobs = answer["choices"][0]["logprobs"]
        if not logprobs:
            raise PartOfCharacterError
        content: dict[str, Any] = logprobs["content"][0]
        return content

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Return the seconds to the first new token, and from there to the last, of one request.

        The request has random tokens and never ends early. It asks for no probabilities: for these the server
        would sort the vocabulary at every token.
        """
        rows = np.random.default_rng(0).integers(0, self.vocabulary, (batch_size, prompt_tokens)).tolist()
        started = time.perf_counter()
        # all requests run before the first one is read
        streams = [Stream(self.model, row, new_tokens) for row in rows]
        parts = [stream.parts() for stream in streams]
        for part in parts:
            next(part)
        first = time.perf_counter()
        for part in parts:
            for _ in part:
                pass
        return first - started, time.perf_counter() - first


class PartOfCharacterError(Exception):
    """The server returns nothing for a token that is only a part of a character."""


class Stream:
    """A running request, read part by part."""

    def __init__(self, server: Any, row: Sequence[int], most: int) -> None:
        self.server = server
        self.arrived: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        request = {
            "prompt": list(row),
            "max_tokens": most,
            "temperature": 0.0,
            "cache_prompt": False,
            "ignore_eos": True,
            "stream": True,
        }
        threading.Thread(target=self._run, args=(request,), daemon=True, name="ptx-gguf").start()

    def parts(self) -> Iterator[dict[str, Any]]:
        """Yield what the server sends, until the end."""
        while (part := self.arrived.get()) is not None:
            raise_error(part)
            yield part

    def _run(self, request: dict[str, Any]) -> None:
        try:
            self.server.handle_completions(request, self._receive)
        finally:
            self.arrived.put(None)

    def _receive(self, part: dict[str, Any]) -> bool:
        """Keep a part; the server calls this for each, and would end the request on True."""
        self.arrived.put(part)
        return False
