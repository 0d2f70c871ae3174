"""The scores after every token of a text at once: llama.cpp's hidden states, and the file's output matrix.

llama.cpp's server tells scores of the next token only. As embeddings without pooling it gives the hidden
state of each token behind the last norm, (T, H), from one reading of the text. What remains is one product
with the output matrix. It is computed here as llama.cpp computes it: the states are rounded as its product
rounds them (to 8 bits in blocks of 32 where the matrix has such blocks), so only the order of sums differs.

llama.cpp reads a text with other kernels than it writes a reply with, so these scores differ a little from
those of a reply's tokens (0.005 nats per token in q4_0 of SmolLM2-135M), as they do for every server's
prompts. ``runtime.scoring=stepwise`` asks for the latter.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray

from ptx_gguf.server import post, serve

Array = NDArray[np.float32]
SCORES = 1e9  # bytes of scores that llama.cpp has room for while it reads a text
MATRIX = 1e9  # bytes of an output matrix in float32 that is kept; a larger one is unpacked for each text
POSITIONS, WORDS = 256, 16384  # that are computed, or unpacked, at a time
#: how a product with a matrix of this kind rounds the other side
ROUNDED = {
    **dict.fromkeys((Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1, Kind.Q8_0), Kind.Q8_0),
    **{kind: kind for kind in (Kind.F16, Kind.BF16)},
}
#: architectures that divide scores by ``logit_scale``; the others multiply
DIVIDED = ("granite",)


class Reading:
    """Reads texts of at most ``longest`` tokens at once, with a server of its own."""

    def __init__(self, file: Path, context: int) -> None:
        self.head = Head(file)
        self.longest = max(1, min(context, int(SCORES / 4 / self.head.vocabulary)))
        self._key = secrets.token_hex()
        self._server = serve(file, self.longest, 1, self._key, states=self.longest)

    def log_probs(self, row: Sequence[int], last: int) -> Iterator[Array]:
        """Yield the log-probabilities of all tokens after each of the ``last`` tokens, in parts (P, V)."""
        body = {"content": [int(token) for token in row], "embd_normalize": -1}
        (answer,) = post(self._server, "/embedding", body, self._key)
        states = np.array(answer["embedding"], dtype=np.float32)[len(row) - last :]
        for start in range(0, last, POSITIONS):
            yield self.head.log_probs(states[start : start + POSITIONS])


class Head:
    """The output matrix of a file, and what llama.cpp does to the scores."""

    def __init__(self, file: Path) -> None:
        reader = gguf.GGUFReader(file)
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.matrix = tensors.get("output.weight") or tensors["token_embd.weight"]
        bias = tensors.get("output.bias")
        self.bias = None if bias is None else np.array(bias.data, dtype=np.float32)
        name = str(reader.fields["general.architecture"].contents())
        self.cap = _number(reader, f"{name}.final_logit_softcapping")
        scale = _number(reader, f"{name}.logit_scale") or 1.0
        self.factor = 1 / scale if name.startswith(DIVIDED) else scale
        self.vocabulary = int(self.matrix.data.shape[0])
        size = 4.0 * self.matrix.n_elements
        self._kept = self._unpacked(0, self.vocabulary) if size <= MATRIX else None

    def log_probs(self, states: Array) -> Array:
        """The log-probabilities (T, V) for hidden states (T, H)."""
        kind = ROUNDED.get(self.matrix.tensor_type)
        states = states if kind is None else gguf.dequantize(gguf.quantize(states, kind), kind)
        scores = self._products(states) * np.float32(self.factor)
        scores += 0 if self.bias is None else self.bias
        if self.cap:
            scores = self.cap * np.tanh(scores / np.float32(self.cap))
        scores -= scores.max(axis=-1, keepdims=True)
        scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
        return np.asarray(scores, dtype=np.float32)

    def _products(self, states: Array) -> Array:
        if self._kept is not None:
            return states @ self._kept.T
        starts = range(0, self.vocabulary, WORDS)
        return np.concatenate([states @ self._unpacked(start, WORDS).T for start in starts], axis=-1)

    def _unpacked(self, start: int, count: int) -> Array:
        """Rows of the matrix, (count, H)."""
        rows = self.matrix.data[start : start + count]
        return np.asarray(gguf.dequantize(rows, self.matrix.tensor_type), dtype=np.float32)


def _number(reader: gguf.GGUFReader, name: str) -> float:
    """A number of the header; 0 where there is none."""
    field: Any = reader.fields.get(name)
    return float(field.contents()) if field else 0.0
