"""lm-eval's wrapper of a transformers model, with the same numbers for less work.

lm-eval computes the log-softmax over the whole vocabulary at every position of a batch, context and padding
included, and then reads only the continuations' positions. This wrapper computes it at those positions alone.
Forward passes, batches and rows are the same, so the results are equal bit for bit. Everything else is
lm-eval's, also that one-token continuations of one context share a forward pass.

With ``prefix_cache`` the common beginning of requests is read once (:mod:`ptx.lm.serving.loglikelihood`).
That is less work still, but the last digits differ.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from lm_eval.api.model import CacheHook
from lm_eval.models import huggingface
from lm_eval.models.utils import Collator
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from ptx.lm.serving.loglikelihood import shared_answers
from ptx_bench.shares import Shares

#: (text of the request, tokens of the context, tokens of the continuation)
Request = tuple[Any, list[int], list[int]]
#: (log-probability in nats, whether greedy decoding gives the continuation)
Answer = tuple[float, bool]


class ContinuationLM(huggingface.HFLM):  # type: ignore[misc]  # lm-eval has no types
    """HFLM that scores the continuation's positions only, and records the seconds of each request."""

    def __init__(self, *, prefix_cache: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.prefix_cache, self.shares, self.batch_seconds = prefix_cache, Shares(), 0.0
        self.cache_hook = TimingHook(self)

    def _loglikelihood_tokens(
        self, requests: list[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[Answer]:
        if self.backend != "causal" or self.batch_size == "auto" or override_bs is not None:
            return list(
                super()._loglikelihood_tokens(requests, disable_tqdm=disable_tqdm, override_bs=override_bs)
            )
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
        for batch in shared_answers(self.model, pairs, self.max_length, self.batch_size):
            for place, answer in batch:
                answers[place] = answer
            self.shares.add([requests[place][0] for place, _ in batch], time.perf_counter() - started)
            started = time.perf_counter()
            bar.update(len(batch))
        return answers

    def _as_lm_eval(self, requests: list[Request], bar: Any) -> list[Answer]:
        order = Collator(
            requests,
            sort_fn=_longest_first,
            group_by="contexts" if self.logits_cache else None,
            group_fn=_all_but_last,
        )
        answers: list[Answer] = []
        for chunk in order.get_batched(n=self.batch_size, batch_fn=None):
            started, done = time.perf_counter(), []
            for (asked, context, continuation), logits in zip(chunk, self._continuations(chunk), strict=True):
                for one, tokens, scores in order.get_cache(
                    req_str=asked, cxt_toks=context, cont_toks=continuation, logits=logits[None]
                ):
                    answers.append(_answer(scores, torch.tensor(tokens, device=self.device)))
                    done.append(one)
            self.shares.add(done, time.perf_counter() - started)
            bar.update(len(done))
        return list(order.get_original(answers))

    def _continuations(self, chunk: list[Request]) -> list[torch.Tensor]:
        """Log-probabilities (C, V) at the positions that predict each continuation, from one forward pass."""
        kept = [(context + continuation)[-(self.max_length + 1) :][:-1] for _, context, continuation in chunk]
        rows = [torch.tensor(row, dtype=torch.long, device=self.device) for row in kept]
        batch = pad_sequence(rows, batch_first=True)  # with 0 on the right, as lm-eval does
        logits = self._model_call(batch)  # (B, T, V)
        return [
            functional.log_softmax(
                logits[place, len(row) - len(continuation) : len(row)], dim=-1, dtype=self.softmax_dtype
            )
            for place, (row, (_, _, continuation)) in enumerate(zip(rows, chunk, strict=True))
        ]

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Call lm-eval's own; a batch mixes windows of several texts, so each text gets an equal share."""
        started = time.perf_counter()
        answers = list(super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm))
        self.shares.add([request.args for request in requests], time.perf_counter() - started)
        return answers

    def _model_generate(self, context: torch.Tensor, *args: Any, **settings: Any) -> torch.Tensor:
        started = time.perf_counter()
        made = super()._model_generate(context, *args, **settings)
        self.batch_seconds = (time.perf_counter() - started) / len(context)
        return torch.as_tensor(made)


class TimingHook(CacheHook):  # type: ignore[misc]  # as above
    """Takes the place of lm-eval's cache: records the seconds of every generation and caches nothing.

    lm-eval calls it right after each batch.
    """

    def __init__(self, model: ContinuationLM) -> None:
        super().__init__(None)
        self.model = model

    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        """Record the seconds of a request of the latest batch."""
        if attr == "generate_until":
            self.model.shares.add([req], self.model.batch_seconds)


def _longest_first(request: Request) -> tuple[int, tuple[int, ...]]:
    tokens = request[1] + request[2]
    return -len(tokens), tuple(tokens)


def _all_but_last(request: Request) -> list[int]:
    return request[-2] + request[-1][:-1]


def _answer(scores: torch.Tensor, tokens: torch.Tensor) -> Answer:
    """(Log-probability, whether each token is the likeliest) of ``tokens`` (C,) under ``scores``.

    ``scores`` has the shape (1, at least C, V).
    """
    at_end = scores[0, -len(tokens) :]
    return float(scores[0].gather(1, tokens[:, None]).sum()), bool((at_end.argmax(dim=-1) == tokens).all())
