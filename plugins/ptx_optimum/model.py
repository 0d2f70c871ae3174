"""A language model on plain ONNX Runtime: a graph with its cache as inputs and outputs, driven token by token from here.

Unlike ONNX Runtime GenAI's graphs these know no fused attention: each step copies the cache to append one position to it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ptx.lm import serving
from ptx.lm.replies import Noise, Stops
from ptx.lm.serving import Rows
from ptx.machine import release_memory
from ptx.records import read_json

GRAPH = "model.onnx"


class OrtLanguageModel:
    """A package opened with ONNX Runtime; implements :class:`ptx.LanguageModel`."""

    emulated = ""

    def __init__(self, folder: Path, batch_size: int = 8) -> None:
        self.folder, self.batch_size = folder, batch_size
        described = read_json(folder / "config.json")
        self.max_length: int = described["max_position_embeddings"]
        self.vocabulary: int = described["vocab_size"]
        self._end = described.get("eos_token_id")
        self.session = ort.InferenceSession(folder / GRAPH, _options(), providers=["CPUExecutionProvider"])
        self.inputs = {one.name: one for one in self.session.get_inputs()}
        self.past = [name for name in self.inputs if name.startswith("past_key_values")]
        self.outputs = ["logits", *(name.replace("past_key_values", "present") for name in self.past)]

    @cached_property
    def tokenizer(self) -> Any:
        """The package's tokenizer, read when it is first asked for: a process that measures time and memory needs none."""
        from ptx.lm.load import load_tokenizer

        return load_tokenizer(self.folder)

    @cached_property
    def ends(self) -> list[int]:
        """The tokens that end a reply."""
        given = self._end if isinstance(self._end, list) else [self._end]
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
        reader = Reader(self, batch_size)
        tokens = reader.read(rows)[:, -1].argmax(axis=-1)
        first = time.perf_counter()
        for _ in range(new_tokens - 1):
            tokens = reader.read(tokens[:, None])[:, -1].argmax(axis=-1)
        return first - started, time.perf_counter() - first

    def close(self) -> None:
        """Free the memory."""
        self.session = None
        release_memory()

    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        """Scores after every token of ``rows``, all of one length: (B, T, V)."""
        return Reader(self, len(rows)).read(np.array([list(row) for row in rows]))

    def continued(self, rows: Rows, most: int, stop: Sequence[str], temperature: float, noise: Noise | None) -> list[list[int]]:
        """New tokens of each row, up to and with its end token or the one that completes a stop string."""
        reader, stops, ends = Reader(self, len(rows)), Stops(self.tokenizer, stop), set(self.ends)
        made: list[list[int]] = [[] for _ in rows]
        going, given = set(range(len(rows))), np.array([list(row) for row in rows])
        for _ in range(min(most, self.max_length - len(rows[0]))):
            scores = reader.read(given)[:, -1]  # (B, V)
            if noise is not None:
                scores = (scores.astype(np.float64) / temperature + noise.draw(scores.shape[-1])).astype(np.float32)
            given = scores.argmax(axis=-1)[:, None]
            for index in sorted(going):
                made[index].append(int(given[index, 0]))
                if made[index][-1] in ends or stops.met(made[index]):
                    going.discard(index)
            if not going:
                break
        return made


class Reader:
    """Rows that are being read: what the graph gave back as cache goes in again, without passing through numpy."""

    def __init__(self, lm: OrtLanguageModel, count: int) -> None:
        self.lm, self.length = lm, 0
        shapes = {name: lm.inputs[name].shape for name in lm.past}  # (B, heads, past, head size)
        self.past = {
            name: ort.OrtValue.ortvalue_from_numpy(np.zeros((count, shape[1], 0, shape[3]), np.float32)) for name, shape in shapes.items()
        }

    def read(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Append (B, T) tokens; their scores, (B, T, V)."""
        count, new = tokens.shape
        whole = self.length + new
        given = {
            "input_ids": tokens,
            "attention_mask": np.ones((count, whole), np.int64),
            "position_ids": np.tile(np.arange(self.length, whole), (count, 1)),
        }
        values = {
            name: ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value)) for name, value in given.items() if name in self.lm.inputs
        }
        logits, *present = self.lm.session.run_with_ort_values(self.lm.outputs, values | self.past)
        self.past, self.length = dict(zip(self.lm.past, present, strict=True)), whole
        return np.array(logits.numpy(), dtype=np.float32)


def _options() -> Any:
    """This process's number of threads; idle ones do not spin."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    threads = int(os.environ.get("OMP_NUM_THREADS") or 0)
    if threads > 0:
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return options
