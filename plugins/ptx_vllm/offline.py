"""A language model on vLLM's offline engine. vllm is imported when it is opened.

Source: https://docs.vllm.ai, offline inference, multi-LoRA.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ptx import ModelRef
from ptx.lm.load import load_tokenizer
from ptx.lm.serving.decoding import Generated
from ptx.machine import peak_bytes
from ptx_vllm import Vllm
from ptx_vllm.model import Rows, TokenScores, VllmLanguageModel, adapters_of, arguments, chosen

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Offline(VllmLanguageModel):
    """An engine in this process (and the processes that it starts), and the adapter that answers."""

    def __init__(
        self, engine: Any, tokenizer: PreTrainedTokenizerBase, params: type, longest: int, adapter: Any = None
    ) -> None:
        super().__init__(tokenizer, longest)
        self.engine, self.params, self.adapter = engine, params, adapter

    @override
    def texts(self, rows: Rows, wanted: Sequence[dict[str, Any]]) -> list[str]:
        return [
            Generated(one.text, len(one.token_ids), finished=one.finish_reason == "stop")
            for answer in self._ask(rows, [self.params(**one) for one in wanted])
            for one in answer.outputs[:1]
        ]

    @override
    def token_scores(self, rows: Rows, likeliest: int) -> Iterator[TokenScores]:
        for answer in self._ask(rows, self.params(max_tokens=1, temperature=0.0, prompt_logprobs=likeliest)):
            yield [
                {token: (one.logprob, one.rank) for token, one in entry.items()}
                for entry in answer.prompt_logprobs[1:]
            ]

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Return the seconds to the first new token, and from there to the last, of one request.

        The request has random tokens and never ends early. The offline engine answers when it is done. So the
        first number is a request for one token, and the second is the additional time of the whole request.
        """
        rows = self.random(2 * batch_size, prompt_tokens)
        seconds = []
        for part, count in ((rows[:batch_size], 1), (rows[batch_size:], new_tokens)):
            started = time.perf_counter()
            self._ask(part, self.params(max_tokens=count, min_tokens=count, ignore_eos=True, temperature=0.0))
            seconds.append(time.perf_counter() - started)
        return seconds[0], max(seconds[1] - seconds[0], 1e-9)

    def time_clients(
        self, prompt_tokens: int, new_tokens: int, clients: int, each: int
    ) -> list[tuple[float, float]]:
        """Return each request's seconds to its first token, waiting included, and from there to its last.

        Each client sends ``each`` requests, one after the answer to the one before; the engine batches the
        requests that are waiting (continuous batching).
        """
        engine, params = (
            self.engine.llm_engine,
            self.params(max_tokens=new_tokens, min_tokens=new_tokens, ignore_eos=True, temperature=0.0),
        )
        waiting = self.random(clients * each, prompt_tokens)
        sent: dict[str, float] = {}
        first: dict[str, float] = {}
        served = []

        def send() -> None:
            name = f"timed-{len(sent)}"
            sent[name] = time.perf_counter()
            engine.add_request(name, {"prompt_token_ids": waiting.pop()}, params, lora_request=self.adapter)

        for _ in range(clients):
            send()
        while engine.has_unfinished_requests():
            for answer in engine.step():
                now, name = time.perf_counter(), answer.request_id
                if answer.outputs[0].token_ids:
                    first.setdefault(name, now)
                if answer.finished:
                    served.append((first[name] - sent[name], max(now - first[name], 1e-9)))
                    if waiting:
                        send()
        return served

    def peak_memory(self) -> float:
        """Return the bytes of this process and the engine's."""
        return peak_bytes(os.getpid())

    def close(self) -> None:
        """Free the GPU."""
        self.engine = None

    def _ask(self, rows: Rows, params: Any) -> list[Any]:
        prompts = [{"prompt_token_ids": list(row)} for row in rows]
        return (
            list(self.engine.generate(prompts, params, use_tqdm=False, lora_request=self.adapter))
            if prompts
            else []
        )


def load(runtime: Vllm, model: ModelRef) -> Offline:
    """Start the engine on the model, or on the base of an adapter, with all adapters."""
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    adapters = adapters_of(runtime, model)
    requests = {
        name: LoRARequest(name, number, str(folder))
        for number, (name, folder) in enumerate(adapters.items(), 1)
    }
    engine = LLM(**arguments(runtime, model, adapters))
    longest = runtime.max_model_len or engine.llm_engine.model_config.max_model_len
    return Offline(
        engine, load_tokenizer(model.path), SamplingParams, longest, requests.get(chosen(runtime, adapters))
    )
