"""A language model on ONNX Runtime GenAI: batched generation, log-likelihood and logits of the package as it is served.

What onnxruntime-genai 0.18 does on the CPU, and what is done about it here:

- a batch padded on the left gives wrong scores for every row that is shorter than the longest (its attention takes the padding for text): only
  prompts with the same number of tokens are served together
- the number of threads is ONNX Runtime's own choice whatever OMP_NUM_THREADS says: it is passed on
- usage is reported to its makers unless that is switched off: it is
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime_genai as og
from numpy.typing import NDArray

from ptx.lm import serving
from ptx.lm.replies import Noise, Stops
from ptx.lm.serving import Rows
from ptx.machine import release_memory
from ptx.records import read_json


class OnnxLanguageModel:
    """A package opened with ONNX Runtime GenAI; implements :class:`ptx.LanguageModel`."""

    emulated = ""
    concurrent = True  # a generator of its own for every request, the weights shared

    def __init__(self, folder: Path, batch_size: int = 8) -> None:
        og.disable_telemetry_events()
        self.folder, self.batch_size = folder, batch_size
        described = read_json(folder / "genai_config.json")["model"]
        self.max_length: int = described["context_length"]
        self.vocabulary: int = described["vocab_size"]
        self._ends = described["eos_token_id"]
        self.model = og.Model(_config(folder))

    @cached_property
    def tokenizer(self) -> Any:
        """The package's tokenizer, read when it is first asked for: a process that measures time and memory needs none."""
        from ptx.lm.load import load_tokenizer

        return load_tokenizer(self.folder)

    @cached_property
    def ends(self) -> list[int]:
        """The tokens that end a reply."""
        given = self._ends if isinstance(self._ends, list) else [self._ends]
        return sorted({int(token) for token in (*given, self.tokenizer.eos_token_id) if token is not None})

    def generate(
        self, prompts: Sequence[str], max_new_tokens: int, *, stop: Sequence[str] = (), temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        """Continue each prompt; a prompt too long for the model loses its beginning."""
        return serving.generate(self, prompts, max_new_tokens, stop, temperature, seed)

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        """Log-probability in nats of each continuation, and whether greedy decoding gives it."""
        return serving.loglikelihood(self, pairs)

    def logits(self, rows: Rows) -> Iterator[Any]:
        """Scores of the next token after each token, one row at a time: float32 (T, V)."""
        for row in rows:
            yield self.prefill([row])[0]

    def time_request(self, prompt_tokens: int, new_tokens: int, batch_size: int = 1) -> tuple[float, float]:
        """Seconds to the first new token, and from there to the last, of one request of random tokens that never ends early."""
        rows = np.random.default_rng(0).integers(0, self.vocabulary, (batch_size, prompt_tokens))
        started = time.perf_counter()
        generator = self._generator(rows.tolist(), prompt_tokens + new_tokens, min_length=prompt_tokens + new_tokens)
        generator.generate_next_token()
        first = time.perf_counter()
        for _ in range(new_tokens - 1):
            generator.generate_next_token()
        return first - started, time.perf_counter() - first

    def close(self) -> None:
        """Free the memory."""
        self.model = None
        release_memory()

    def _generator(self, rows: Rows, max_length: int, **options: Any) -> Any:
        """A generator that has read ``rows``, all of one length, and has their scores ready."""
        params = og.GeneratorParams(self.model)
        params.set_search_options(
            max_length=max_length,
            batch_size=len(rows),
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
            **({"min_length": 0} | options),
        )
        generator = og.Generator(self.model, params)
        generator.append_tokens(np.array([list(row) for row in rows], dtype=np.int32))
        return generator

    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        """Scores after every token of ``rows``, all of one length: (B, T, V)."""
        generator = self._generator(rows, min(self.max_length, len(rows[0]) + 1))
        return np.array(generator.get_output("logits"), dtype=np.float32)  # a copy: the generator owns its buffer

    def continued(self, rows: Rows, most: int, stop: Sequence[str], temperature: float, noise: Noise | None) -> list[list[int]]:
        """New tokens of each row, up to and with its end token or the one that completes a stop string."""
        generator = self._generator(rows, min(self.max_length, len(rows[0]) + most))
        stops, ends = Stops(self.tokenizer, stop), set(self.ends)
        made: list[list[int]] = [[] for _ in rows]
        going = set(range(len(rows)))
        for _ in range(min(most, self.max_length - len(rows[0]))):
            if noise is not None:
                scores = generator.get_logits()  # (B, 1, V)
                noisy = scores.astype(np.float64) / temperature + noise.draw(scores.shape[-1])[:, None]
                generator.set_logits(noisy.astype(np.float32))
            generator.generate_next_token()
            tokens = generator.get_next_tokens()
            for index in sorted(going):
                made[index].append(int(tokens[index]))
                if made[index][-1] in ends or stops.met(made[index]):
                    going.discard(index)
            if not going:
                break
        return made


def _config(folder: Path) -> Any:
    """The package's configuration with this process's number of threads."""
    config = og.Config(str(folder))
    threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    if threads > 0:
        options = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
    return config
