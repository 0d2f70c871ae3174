"""Any ptx runtime as a model of lm-eval.

With it a benchmark measures the artifact that would be deployed, on the runtime that would serve it.
"""

from __future__ import annotations

import functools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.model import LM
from lm_eval.models.utils import normalize_gen_kwargs

from ptx import LanguageModel, StepError
from ptx.lm.evaluation.windows import windows
from ptx.lm.progress import Pace
from ptx.lm.serving.scoring import Answer, Pair, longest_first, score_tokens
from ptx.lm.tokens import encode, encode_pair, first_token
from ptx_bench.cuts import Cuts
from ptx_bench.shares import Shares

DEFAULT_NEW_TOKENS = 256  # lm-eval's default, for tasks that set none
BATCHES_PER_CALL = 16  # a runtime sorts the requests of a call by length; progress is reported per call


class RuntimeLM(LM):  # type: ignore[misc]  # lm-eval has no types
    """Answers lm-eval's three kinds of request through :class:`ptx.LanguageModel`."""

    def __init__(self, lm: LanguageModel, batch_size: int, pace: Pace) -> None:
        super().__init__()
        self.lm, self.pace, self.shares, self.cuts = lm, pace, Shares(), Cuts()
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
        pairs = [encode_pair(self.lm.tokenizer, *request.args[:2]) for request in requests]
        answers: list[tuple[float, bool]] = []
        for start in range(0, len(pairs), self.chunk):
            part, asked = pairs[start : start + self.chunk], requests[start : start + self.chunk]
            began = time.perf_counter()
            answers += score_tokens(self.lm, part)
            self.shares.add([request.args[:2] for request in asked], time.perf_counter() - began)
            for request, pair in zip(asked, part, strict=True):
                self.cuts.add(request.args, sum(map(len, pair)) - 1 - self.lm.max_length)
            self.pace.log({"requests": float(len(answers))}, len(answers), len(pairs))
        return answers

    def loglikelihood_rolling(
        self, requests: Sequence[Any], score: Callable[[list[Pair]], list[Answer]] | None = None
    ) -> list[float]:
        """Return the log-probability of each whole text, from lm-eval's own windows over its tokens.

        A window reads the tokens before the predicted ones, as far as the context reaches.
        """
        score = score or functools.partial(score_tokens, self.lm)
        tokenizer = self.lm.tokenizer
        prefix = first_token(tokenizer)
        if prefix is None:
            raise StepError(
                "the tokenizer has neither a beginning-of-text nor an end-of-text token, so the first token"
                " of a text cannot be predicted"
            )
        pieces = [
            (place, (seen[: len(seen) - len(targets) + 1], targets))
            for place, request in enumerate(requests)
            for seen, targets in windows(encode(tokenizer, request.args[0]), prefix, self.lm.max_length, 1)
        ]
        scores = [0.0] * len(requests)
        for start in range(0, len(pieces), self.chunk):
            part = pieces[start : start + self.chunk]
            began = time.perf_counter()
            answers = score([piece for _, piece in part])
            asked = [requests[place].args for place in dict.fromkeys(place for place, _ in part)]
            self.shares.add(asked, time.perf_counter() - began)
            for (place, _), (log_prob, _) in zip(part, answers, strict=True):
                scores[place] += log_prob
            self.pace.log({"windows": float(start + len(part))}, start + len(part), len(pieces))
        return scores

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """Continue contexts; requests with equal settings go into one batch."""
        rows = [encode(self.lm.tokenizer, request.args[0]) for request in requests]
        grouped: dict[str, list[int]] = defaultdict(list)
        for place in longest_first(rows):
            grouped[json.dumps(requests[place].args[1], sort_keys=True)].append(place)
        answers, done = [""] * len(requests), 0
        for places in grouped.values():
            for start in range(0, len(places), self.chunk):
                chosen = sorted(places[start : start + self.chunk])
                began = time.perf_counter()
                settings = settings_of(requests[chosen[0]].args[1])
                made = self.lm.generate([requests[place].args[0] for place in chosen], **settings)
                texts = list(map(str, made))  # lm-eval gives the references the type of the answers
                self.shares.add([requests[place].args for place in chosen], time.perf_counter() - began)
                room = self.lm.max_length - settings["max_new_tokens"]
                for place, text in zip(chosen, texts, strict=True):
                    answers[place] = text
                    self.cuts.add(requests[place].args, len(rows[place]) - room)
                done += len(chosen)
                self.pace.log({"requests": float(done)}, done, len(requests))
        return answers


def settings_of(given: dict[str, Any]) -> dict[str, Any]:
    """A task's generation settings as :meth:`ptx.LanguageModel.generate` takes them.

    As in lm-eval, a temperature counts unless ``do_sample`` is false. Settings of the model's own folder
    (repetition penalty, temperature) are used on no runtime; only its end tokens are.
    """
    normal = normalize_gen_kwargs(given, DEFAULT_NEW_TOKENS)
    return {
        "max_new_tokens": int(normal["max_gen_toks"]),
        "stop": [text for text in normal["until"] if text],
        "temperature": float(normal["temperature"] or 0.0) if normal["do_sample"] else 0.0,
    }
