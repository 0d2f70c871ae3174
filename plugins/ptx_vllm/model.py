"""A language model on vLLM's offline engine (https://docs.vllm.ai, offline inference, multi-LoRA). vllm is imported when it is opened."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ptx import ModelRef
from ptx.lm.load import base_of, is_adapter, load_tokenizer
from ptx.lm.replies import seeds_of
from ptx.lm.tokens import encode, encode_pair
from ptx_vllm import Vllm

OWN = "run"  # the name of an adapter that the run itself made


class VllmLanguageModel:
    """An engine, and the adapter that answers; implements :class:`ptx.LanguageModel`."""

    emulated = ""

    def __init__(self, engine: Any, tokenizer: Any, params: type, max_length: int, adapter: Any = None) -> None:
        self.engine, self.tokenizer, self.params, self.max_length, self.adapter = engine, tokenizer, params, max_length, adapter
        self.drawn = np.random.default_rng(0)  # of timed requests: goes on, so that no prefix is met twice

    def generate(
        self, prompts: Sequence[str], max_new_tokens: int, *, stop: Sequence[str] = (), temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """Continue each prompt; a prompt too long for the model loses its beginning. vLLM cuts before a stop string by itself."""
        room = max(1, self.max_length - max_new_tokens)
        rows = [encode(self.tokenizer, prompt)[-room:] for prompt in prompts]
        seeds = seeds_of(seed, range(len(rows)))
        params = [
            self.params(max_tokens=max_new_tokens, temperature=temperature, stop=list(stop), seed=one % 2**31 if temperature > 0 else None)
            for one in seeds
        ]
        return [str(answer.outputs[0].text) for answer in self._ask(rows, params)]

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """Log-probability in nats of each continuation, and whether greedy decoding gives it, from the prompt's own log-probabilities."""
        encoded = [encode_pair(self.tokenizer, *pair) for pair in pairs]
        rows = [(context + continuation)[-self.max_length + 1 :] for context, continuation in encoded]
        asked = [place for place, (_, continuation) in enumerate(encoded) if continuation]
        params = self.params(max_tokens=1, temperature=0.0, prompt_logprobs=1)
        scores: list[tuple[float, bool]] = [(0.0, True)] * len(encoded)
        for place, answer in zip(asked, self._ask([rows[place] for place in asked], params), strict=True):
            count = min(len(encoded[place][1]), len(rows[place]) - 1)
            told = [entry[token] for entry, token in zip(answer.prompt_logprobs[-count:], rows[place][-count:], strict=True)]
            scores[place] = sum(one.logprob for one in told), all(one.rank == 1 for one in told)
        return scores

    def logits(self, rows: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Log-probabilities of the next token after each token (scores up to a constant), row by row: float32 (T, V).

        vLLM gives those of the prompt's tokens, one place on, and after the last token those of what it generates.
        """
        params = self.params(max_tokens=1, temperature=0.0, prompt_logprobs=-1, logprobs=-1)
        for row in rows:
            (answer,) = self._ask([list(row)], params)
            after = [*answer.prompt_logprobs[1:], answer.outputs[0].logprobs[0]]
            yield np.array([[entry[token].logprob for token in range(len(entry))] for entry in after], dtype=np.float32)

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Seconds to the first new token, and from there to the last, of one request of random tokens that never ends early.

        The offline engine answers when it is done, so the first number is a request for one token and the second what the whole one takes longer.
        """
        rows = self._random(2 * batch_size, prompt_tokens)
        seconds = []
        for part, count in ((rows[:batch_size], 1), (rows[batch_size:], new_tokens)):
            started = time.perf_counter()
            self._ask(part, self.params(max_tokens=count, min_tokens=count, ignore_eos=True, temperature=0.0))
            seconds.append(time.perf_counter() - started)
        return seconds[0], max(seconds[1] - seconds[0], 1e-9)

    def time_clients(self, prompt_tokens: int, new_tokens: int, clients: int, each: int) -> list[tuple[float, float]]:
        """Per request its seconds to the first token, what it waited included, and from there to the last.

        Clients send ``each`` request after the answer to the one before; the engine batches what is there (continuous batching).
        """
        engine, params = self.engine.llm_engine, self.params(max_tokens=new_tokens, min_tokens=new_tokens, ignore_eos=True, temperature=0.0)
        waiting = self._random(clients * each, prompt_tokens)
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

    def close(self) -> None:
        """Free the GPU."""
        self.engine = None

    def _random(self, count: int, tokens: int) -> list[list[int]]:
        found: list[list[int]] = self.drawn.integers(0, len(self.tokenizer), (count, tokens)).tolist()
        return found

    def _ask(self, rows: Sequence[Sequence[int]], params: Any) -> list[Any]:
        prompts = [{"prompt_token_ids": list(row)} for row in rows]
        return list(self.engine.generate(prompts, params, use_tqdm=False, lora_request=self.adapter)) if prompts else []


def load(runtime: Vllm, model: ModelRef) -> VllmLanguageModel:
    """Start the engine on the model, or on the base of an adapter, with every adapter that is to be served on it."""
    from vllm import LLM, SamplingParams
    from vllm.lora.request import LoRARequest

    adapters = adapters_of(runtime, model)
    requests = {name: LoRARequest(name, number, str(folder)) for number, (name, folder) in enumerate(adapters.items(), 1)}
    engine = LLM(**engine_arguments(runtime, model, adapters))
    chosen = runtime.adapter or (OWN if OWN in requests else "")
    length = runtime.max_model_len or engine.llm_engine.model_config.max_model_len
    return VllmLanguageModel(engine, load_tokenizer(model.path), SamplingParams, length, requests.get(chosen))


def adapters_of(runtime: Vllm, model: ModelRef) -> dict[str, Path]:
    """Every adapter to serve, by name; the run's own first."""
    own = {OWN: model.path.resolve()} if is_adapter(model.path) else {}
    return own | {name: Path(folder).expanduser().resolve() for name, folder in runtime.adapters.items()}


def engine_arguments(runtime: Vllm, model: ModelRef, adapters: dict[str, Path]) -> dict[str, Any]:
    """What ``vllm.LLM`` is called with. ``max_logprobs=-1``: whole distributions may be asked for."""
    base = base_of(model.path) if is_adapter(model.path) else model.path
    arguments: dict[str, Any] = {
        "model": str(base.resolve()),
        "dtype": runtime.dtype,
        "tensor_parallel_size": runtime.tensor_parallel_size,
        "gpu_memory_utilization": runtime.gpu_memory_utilization,
        "trust_remote_code": False,
        "generation_config": "vllm",  # sampling is what the caller asks for, not what the model's folder suggests
        "max_logprobs": -1,
    }
    if runtime.max_model_len:
        arguments["max_model_len"] = runtime.max_model_len
    if adapters:
        arguments |= {"enable_lora": True, "max_loras": len(adapters), "max_lora_rank": runtime.max_lora_rank}
    return arguments | runtime.args
