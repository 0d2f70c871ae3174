"""Any ptx runtime as a model of lm-eval.

With it a benchmark measures the artifact that would be deployed, on the runtime that would serve it.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from lm_eval.api.model import LM

from ptx import LanguageModel
from ptx.lm.progress import Pace
from ptx_bench.shares import Shares

DEFAULT_NEW_TOKENS = 256  # lm-eval's default, for tasks that set none
BATCHES_PER_CALL = 16  # a runtime sorts the requests of a call by length; progress is reported per call


class RuntimeLM(LM):  # type: ignore[misc]  # lm-eval has no types
    """Answers lm-eval's three kinds of request through :class:`ptx.LanguageModel`."""

    def __init__(self, lm: LanguageModel, batch_size: int, pace: Pace) -> None:
        super().__init__()
        self.lm, self.pace, self.shares = lm, pace, Shares()
        self.chunk = batch_size * BATCHES_PER_CALL

    @property
    def tokenizer_name(self) -> str:
        """Part of the name of lm-eval's request cache, which ptx does not use."""
        return str(getattr(self.lm.tokenizer, "name_or_path", ""))

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Render messages as the text that the model reads."""
        keep_open = not add_generation_prompt
        return str(
            self.lm.tokenizer.apply_chat_template(
                chat_history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=keep_open,
            )
        )

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Return (log-probability, is greedy) for each (context, continuation) pair."""
        pairs = [(request.args[0], request.args[1]) for request in requests]
        answers: list[tuple[float, bool]] = []
        for start in range(0, len(pairs), self.chunk):
            began = time.perf_counter()
            answers += self.lm.loglikelihood(pairs[start : start + self.chunk])
            self.shares.add(pairs[start : start + self.chunk], time.perf_counter() - began)
            self.pace.log({"requests": float(len(answers))}, len(answers), len(pairs))
        return answers

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Return the log-probability of each whole text.

        A text longer than the context is cut into pieces, and each piece is scored without the previous one.
        """
        pieces = [
            (index, piece)
            for index, request in enumerate(requests)
            for piece in self._pieces(request.args[0])
        ]
        scores = [0.0] * len(requests)
        began = time.perf_counter()
        answers = self.lm.loglikelihood([("", piece) for _, piece in pieces])
        self.shares.add([request.args for request in requests], time.perf_counter() - began)
        for (index, _), (score, _) in zip(pieces, answers, strict=True):
            scores[index] += score
        return scores

    def _pieces(self, text: str) -> list[str]:
        ids = self.lm.tokenizer(text, add_special_tokens=False)["input_ids"]
        window = int(getattr(self.lm, "max_length", 0)) - 1
        if window < 1 or len(ids) <= window:
            return [text]
        return [self.lm.tokenizer.decode(ids[start : start + window]) for start in range(0, len(ids), window)]

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Continue contexts; requests with equal settings go into one batch."""
        groups: dict[str, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            groups[json.dumps(request.args[1], sort_keys=True)].append(index)
        answers = [""] * len(requests)
        done = 0
        for indices in groups.values():
            for start in range(0, len(indices), self.chunk):
                chosen = indices[start : start + self.chunk]
                began = time.perf_counter()
                texts = self._generate(
                    [requests[index].args[0] for index in chosen], requests[chosen[0]].args[1]
                )
                self.shares.add([requests[index].args for index in chosen], time.perf_counter() - began)
                for index, text in zip(chosen, texts, strict=True):
                    answers[index] = text
                done += len(chosen)
                self.pace.log({"requests": float(done)}, done, len(requests))
        return answers

    def _generate(self, prompts: list[str], settings: dict[str, Any]) -> list[str]:
        until = settings.get("until") or []
        temperature = float(settings.get("temperature", 0.0)) if settings.get("do_sample") else 0.0
        return self.lm.generate(
            prompts,
            int(settings.get("max_gen_toks", DEFAULT_NEW_TOKENS)),
            stop=[until] if isinstance(until, str) else [text for text in until if text],
            temperature=temperature,
        )
