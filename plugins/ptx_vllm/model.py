"""What vLLM's engine and its server share: prompts become token ids, answers become texts and scores."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ptx import ModelRef
from ptx.lm.load import base_of, is_adapter
from ptx.lm.serving.decoding import prompt_seeds
from ptx.lm.serving.scoring import Answer, Pair
from ptx.lm.tokens import encode, encode_pair
from ptx_vllm import Vllm

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OWN = "run"  # the name of the adapter that the run itself trained
# tokens that a scored row leaves free: one at the end of the row (so that there are scores after its last
# token), and one that vLLM must generate
ROOM = 2
Rows = Sequence[Sequence[int]]
# per token of a row: token -> log-probability in nats and rank, of this token and of the likeliest ones
TokenScores = list[dict[int, tuple[float, int]]]


class VllmLanguageModel(ABC):
    """A :class:`ptx.LanguageModel` on two requests to vLLM. ``longest`` is its context, in tokens."""

    emulated = ""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, longest: int) -> None:
        self.tokenizer, self.max_length = tokenizer, longest - ROOM
        self._drawn, self._guard = np.random.default_rng(0), threading.Lock()

    @abstractmethod
    def texts(self, rows: Rows, wanted: Sequence[dict[str, Any]]) -> list[str]:
        """Return the continuation of each of ``rows``, sampled with its own settings (vLLM's names)."""

    @abstractmethod
    def token_scores(self, rows: Rows, likeliest: int) -> Iterator[TokenScores]:
        """Yield the scores of each row's tokens but the first.

        Those of the ``likeliest`` tokens in its place are included; -1 includes the whole vocabulary.
        """

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        *,
        stop: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """Continue each prompt; a prompt that is too long for the model is cut at its beginning.

        vLLM itself cuts before a stop string.
        """
        room = max(1, self.max_length - max_new_tokens)
        rows = [encode(self.tokenizer, prompt)[-room:] or [self.tokenizer.eos_token_id] for prompt in prompts]
        wanted = [
            {
                "max_tokens": max_new_tokens,
                "temperature": temperature,
                "stop": list(stop),
                "seed": one % 2**31 if temperature > 0 else None,
            }
            for one in prompt_seeds(seed, range(len(rows)))
        ]
        return self.texts(rows, wanted)

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """Return the log-probability in nats of each continuation, and whether greedy decoding gives it.

        Both are read from vLLM's log-probabilities of the prompt.
        """
        return self.loglikelihood_tokens([encode_pair(self.tokenizer, *pair) for pair in pairs])

    def loglikelihood_tokens(self, pairs: Sequence[Pair]) -> list[Answer]:
        """Return the same for token ids."""
        rows = [[*context, *continuation][-(self.max_length + 1) :] for context, continuation in pairs]
        asked = [place for place, (_, continuation) in enumerate(pairs) if continuation]
        scores: list[Answer] = [(0.0, True)] * len(pairs)
        answers = self.token_scores([rows[place] for place in asked], 1)
        for place, answer in zip(asked, answers, strict=True):
            count = min(len(pairs[place][1]), len(rows[place]) - 1)
            found = [entry[token] for entry, token in zip(answer[-count:], rows[place][-count:], strict=True)]
            scores[place] = sum(logprob for logprob, _ in found), all(rank == 1 for _, rank in found)
        return scores

    def logits(self, rows: Rows) -> Iterator[Any]:
        """Yield the log-probabilities of the next token after each token, row by row: float32 (T, V).

        They are scores up to a constant.
        """
        for row in rows:
            (scores,) = self.token_scores([[*row, 0]], -1)
            yield np.array(
                [[entry[token][0] for token in range(len(entry))] for entry in scores], dtype=np.float32
            )

    def random(self, count: int, tokens: int) -> list[list[int]]:
        """Return rows for timed requests; no prefix occurs twice, since vLLM caches prefixes."""
        with self._guard:
            found: list[list[int]] = self._drawn.integers(0, len(self.tokenizer), (count, tokens)).tolist()
        return found


def adapters_of(runtime: Vllm, model: ModelRef) -> dict[str, Path]:
    """Return every adapter to serve, by name; the run's own first."""
    own = {OWN: model.path.resolve()} if is_adapter(model.path) else {}
    return own | {name: Path(folder).expanduser().resolve() for name, folder in runtime.adapters.items()}


def chosen(runtime: Vllm, adapters: dict[str, Path]) -> str:
    """Return the name of the adapter that answers; empty: the base."""
    return runtime.adapter or (OWN if OWN in adapters else "")


def arguments(runtime: Vllm, model: ModelRef, adapters: dict[str, Path]) -> dict[str, Any]:
    """Return the engine's arguments, by vLLM's names.

    ``max_logprobs=-1`` permits requests for whole distributions.
    """
    base = base_of(model.path) if is_adapter(model.path) else model.path
    found: dict[str, Any] = {
        "model": str(base.resolve()),
        "dtype": runtime.dtype,
        "tensor_parallel_size": runtime.tensor_parallel_size,
        "gpu_memory_utilization": runtime.gpu_memory_utilization,
        "trust_remote_code": False,
        "generation_config": "vllm",  # the caller decides the sampling, not the model's folder
        "max_logprobs": -1,
    }
    if runtime.max_model_len:
        found["max_model_len"] = runtime.max_model_len
    if adapters:
        found |= {"enable_lora": True, "max_loras": len(adapters), "max_lora_rank": runtime.max_lora_rank}
    return found | runtime.args
