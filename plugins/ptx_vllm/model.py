"""What vLLM's engine and its server have in common: how prompts become token ids, and its answers texts and
scores.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ptx import ModelRef
from ptx.lm.load import base_of, is_adapter
from ptx.lm.serving.decoding import prompt_seeds
from ptx.lm.tokens import encode, encode_pair
from ptx_vllm import Vllm

OWN = "run"  # the name of an adapter that the run itself made
# tokens that a scored row leaves free: one that ends the row (so that what follows its last token is told),
# one that vLLM must generate
ROOM = 2
Rows = Sequence[Sequence[int]]
Told = list[
    dict[int, tuple[float, int]]
]  # per token of a row: of it and of the likeliest ones, log-probability in nats and rank


class VllmLanguageModel(ABC):
    """Implements :class:`ptx.LanguageModel` on two questions that vLLM answers. ``longest`` is its context,
    in tokens.
    """

    emulated = ""

    def __init__(self, tokenizer: Any, longest: int) -> None:
        self.tokenizer, self.max_length = tokenizer, longest - ROOM
        self._drawn, self._guard = np.random.default_rng(0), threading.Lock()

    @abstractmethod
    def texts(self, rows: Rows, wanted: Sequence[dict[str, Any]]) -> list[str]:
        """What follows each of ``rows``, sampled with its own settings (vLLM's names)."""

    @abstractmethod
    def told(self, rows: Rows, likeliest: int) -> Iterator[Told]:
        """The scores of each row's tokens but the first, with those of the ``likeliest`` in its place; -1: of
        the whole vocabulary.
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
        """Continue each prompt; a prompt too long for the model loses its beginning. vLLM cuts before a stop
        string by itself.
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
        """Log-probability in nats of each continuation, and whether greedy decoding gives it, from the
        prompt's own log-probabilities.
        """
        encoded = [encode_pair(self.tokenizer, *pair) for pair in pairs]
        rows = [(context + continuation)[-self.max_length :] for context, continuation in encoded]
        asked = [place for place, (_, continuation) in enumerate(encoded) if continuation]
        scores: list[tuple[float, bool]] = [(0.0, True)] * len(encoded)
        for place, told in zip(asked, self.told([rows[place] for place in asked], 1), strict=True):
            count = min(len(encoded[place][1]), len(rows[place]) - 1)
            found = [entry[token] for entry, token in zip(told[-count:], rows[place][-count:], strict=True)]
            scores[place] = sum(logprob for logprob, _ in found), all(rank == 1 for _, rank in found)
        return scores

    def logits(self, rows: Rows) -> Iterator[Any]:
        """Log-probabilities of the next token after each token (scores up to a constant), row by row: float32
        (T, V).
        """
        for row in rows:
            (told,) = self.told([[*row, 0]], -1)
            yield np.array(
                [[entry[token][0] for token in range(len(entry))] for entry in told], dtype=np.float32
            )

    def random(self, count: int, tokens: int) -> list[list[int]]:
        """Rows for timed requests; no prefix is met twice, since vLLM keeps those."""
        with self._guard:
            found: list[list[int]] = self._drawn.integers(0, len(self.tokenizer), (count, tokens)).tolist()
        return found


def adapters_of(runtime: Vllm, model: ModelRef) -> dict[str, Path]:
    """Every adapter to serve, by name; the run's own first."""
    own = {OWN: model.path.resolve()} if is_adapter(model.path) else {}
    return own | {name: Path(folder).expanduser().resolve() for name, folder in runtime.adapters.items()}


def chosen(runtime: Vllm, adapters: dict[str, Path]) -> str:
    """Which adapter answers; empty: the base."""
    return runtime.adapter or (OWN if OWN in adapters else "")


def arguments(runtime: Vllm, model: ModelRef, adapters: dict[str, Path]) -> dict[str, Any]:
    """What the engine is started with, by vLLM's names. ``max_logprobs=-1``: whole distributions may be asked
    for.
    """
    base = base_of(model.path) if is_adapter(model.path) else model.path
    found: dict[str, Any] = {
        "model": str(base.resolve()),
        "dtype": runtime.dtype,
        "tensor_parallel_size": runtime.tensor_parallel_size,
        "gpu_memory_utilization": runtime.gpu_memory_utilization,
        "trust_remote_code": False,
        "generation_config": (
            "vllm"
        ),  # sampling is what the caller asks for, not what the model's folder suggests
        "max_logprobs": -1,
    }
    if runtime.max_model_len:
        found["max_model_len"] = runtime.max_model_len
    if adapters:
        found |= {"enable_lora": True, "max_loras": len(adapters), "max_lora_rank": runtime.max_lora_rank}
    return found | runtime.args
