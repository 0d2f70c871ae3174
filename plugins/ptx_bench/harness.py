"""lm-eval's wrapper of a transformers model, with the same numbers for less work.

lm-eval computes the log-softmax over the whole vocabulary at every position of a batch, context and padding
included, and then reads only the continuations' positions. This wrapper computes it at those positions alone.
Forward passes, batches and rows are the same, so the results are equal bit for bit. Everything else is
lm-eval's, also that one-token continuations of one context share a forward pass. Only texts are generated
through ptx's interface, because lm-eval would apply the folder's own penalties here and on no other runtime.

With ``prefix_cache`` the common beginning of requests is read once (:mod:`ptx.lm.serving.loglikelihood`), and
the output layer is computed at the continuations' positions alone. That is less work still, but the last
digits differ.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from lm_eval.models import huggingface
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from ptx.lm.serving.loglikelihood import shared_answers
from ptx.lm.serving.scoring import Answer, Pair
from ptx.lm.tokens import encode
from ptx_bench.adapter import RuntimeLM

#: (text of the request, tokens of the context, tokens of the continuation)
Request = tuple[Any, list[int], list[int]]


class ContinuationLM(huggingface.HFLM):  # type: ignore[misc]  # lm-eval has no types
    """HFLM that scores the continuation's positions only, and records the seconds of each request."""

    def __init__(self, served: RuntimeLM, *, prefix_cache: bool = False, **settings: Any) -> None:
        lm: Any = served.lm
        super().__init__(pretrained=lm.model, tokenizer=lm.tokenizer, max_length=lm.max_length, **settings)
        self.served, self.prefix_cache = served, prefix_cache
        self.shares, self.cuts = served.shares, served.cuts

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, **_: Any
    ) -> list[Answer]:
        for asked, context, continuation in requests:
            self.cuts.add(asked, len(context) + len(continuation) - 1 - self.max_length)
        bar = huggingface.tqdm(
            total=len(requests), disable=disable_tqdm or self.rank != 0, desc="Running loglikelihood requests"
        )
        answers = self._shared(requests, bar) if self.prefix_cache else self._as_lm_eval(requests, bar)
        bar.close()
        return answers

    def _shared(self, requests: list[Request], bar: Any) -> list[Answer]:
        answers: list[Answer] = [(0.0, True)] * len(requests)
        started = time.perf_counter()
        pairs = [(context, continuation) for _, context, continuation in requests]
        lm: Any = self.served.lm
        batches = replace(lm.batches, rows=self.batch_size)
        for batch in shared_answers(self.model, pairs, self.max_length, batches):
            for place, answer in batch:
                answers[place] = answer
            self.shares.add([requests[place][0] for place, _ in batch], time.perf_counter() - started)
            started = time.perf_counter()
            bar.update(len(batch))
        return answers

    def _as_lm_eval(self, requests: list[Request], bar: Any) -> list[Answer]:
        """Answer in lm-eval's order and batches. Requests that read the same tokens share a row of them.

        lm-eval keeps a shared row's scores as far as the first request's continuation reaches, which gives a
        wrong score where another's reaches further or less far; here as far as the longest.
        """
        reading: dict[tuple[int, ...], list[int]] = {}
        for place, (_, context, continuation) in enumerate(requests):
            reading.setdefault((*context, *continuation[:-1]), []).append(place)
        order = sorted(reading.values(), key=lambda places: _longest_first(requests[places[0]]))
        answers: list[Answer] = [(0.0, True)] * len(requests)
        for start in range(0, len(order), self.batch_size):
            began, chunk = time.perf_counter(), order[start : start + self.batch_size]
            furthest = [max((requests[place] for place in places), key=_reach) for places in chunk]
            for places, log_probs in zip(chunk, self._continuations(furthest), strict=True):
                for place in places:
                    target = requests[place][2][-len(log_probs) :]
                    answers[place] = _answer(log_probs, torch.tensor(target, device=self.device))
            done = [requests[place][0] for places in chunk for place in places]
            self.shares.add([one for one in done if one], time.perf_counter() - began)
            bar.update(len(done))
        return answers

    def _continuations(self, chunk: list[Request]) -> list[torch.Tensor]:
        """Log-probabilities (C, V) at the positions that predict each continuation, from one forward pass."""
        kept = [(context + continuation)[-(self.max_length + 1) :][:-1] for _, context, continuation in chunk]
        rows = [torch.tensor(row, dtype=torch.long, device=self.device) for row in kept]
        batch = pad_sequence(rows, batch_first=True)  # with 0 on the right, as lm-eval does
        logits = self._model_call(batch)  # (B, T, V)
        return [
            functional.log_softmax(
                logits[place, max(0, len(row) - len(continuation)) : len(row)],
                dim=-1,
                dtype=self.softmax_dtype,
            )
            for place, (row, (_, _, continuation)) in enumerate(zip(rows, chunk, strict=True))
        ]

    def _score_windows(self, pairs: Sequence[Pair]) -> list[Answer]:
        bar = huggingface.tqdm(total=len(pairs), disable=True)
        return self._as_lm_eval([(None, list(context), list(target)) for context, target in pairs], bar)

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Score the windows of every runtime, in lm-eval's batches."""
        return self.served.loglikelihood_rolling(requests, self._score_windows)

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """Generate through ptx's interface: the same rules on every runtime."""
        return self.served.generate_until(requests)

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **settings: Any) -> list[int]:
        """Encode as every runtime of ptx does: like lm-eval, but no text ends with an end token."""
        if add_special_tokens is None and not settings:
            return encode(self.tokenizer, string)
        return list(super().tok_encode(string, add_special_tokens=add_special_tokens, **settings))


def _longest_first(request: Request) -> tuple[int, tuple[int, ...]]:
    tokens = request[1] + request[2]
    return -len(tokens), tuple(tokens)


def _reach(request: Request) -> int:
    return len(request[2])


def _answer(log_probs: torch.Tensor, tokens: torch.Tensor) -> Answer:
    """(Log-probability, whether each token is the likeliest) of the last C predicted ``tokens`` (C,)."""
    at_end = log_probs[len(log_probs) - len(tokens) :]
    return float(at_end.gather(1, tokens[:, None]).sum()), bool((at_end.argmax(dim=-1) == tokens).all())
