"""A language model on plain ONNX Runtime: a graph with its cache as inputs and outputs.

The graph is run once per token from here. Unlike ONNX Runtime GenAI's graphs it has no fused attention: each
step copies the cache to append one position to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from typing_extensions import override

from ptx.files import read_json
from ptx.lm.serving.token_model import ReadingModel, threads
from ptx.models.traits import Traits

GRAPH = "model.onnx"


class OrtLanguageModel(ReadingModel):
    """A package opened with ONNX Runtime."""

    def __init__(self, folder: Path, batch_size: int = 8) -> None:
        described = read_json(folder / "config.json")
        session = ort.InferenceSession(folder / GRAPH, _options(), providers=["CPUExecutionProvider"])
        super().__init__(
            folder,
            session,
            max_length=Traits.of(described).context or 0,
            vocabulary=described["vocab_size"],
            ends=described.get("eos_token_id"),
            batch_size=batch_size,
        )
        self.inputs = {one.name: one for one in session.get_inputs()}
        self.past = [name for name in self.inputs if name.startswith("past_key_values")]
        self.outputs = ["logits", *(name.replace("past_key_values", "present") for name in self.past)]

    @override
    def reader(self, count: int) -> Cached:
        return Cached(self, count)


class Cached:
    """Rows that are being read; the cache goes from outputs to inputs without passing through numpy."""

    def __init__(self, lm: OrtLanguageModel, count: int) -> None:
        self.lm, self.length = lm, 0
        shapes = {name: lm.inputs[name].shape for name in lm.past}  # (B, heads, past, head size)
        self.past = {
            name: ort.OrtValue.ortvalue_from_numpy(np.zeros((count, shape[1], 0, shape[3]), np.float32))
            for name, shape in shapes.items()
        }

    def read(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Append (B, T) tokens; return their scores, (B, T, V)."""
        count, new = tokens.shape
        whole = self.length + new
        given = {
            "input_ids": tokens,
            "attention_mask": np.ones((count, whole), np.int64),
            "position_ids": np.tile(np.arange(self.length, whole), (count, 1)),
        }
        values = {
            name: ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value))
            for name, value in given.items()
            if name in self.lm.inputs
        }
        logits, *present = self.lm.model.run_with_ort_values(self.lm.outputs, values | self.past)
        self.past, self.length = dict(zip(self.lm.past, present, strict=True)), whole
        scores: NDArray[np.float32] = logits.numpy()
        return scores


def _options() -> Any:
    """Return session options with this process's number of threads; idle ones do not spin."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if (count := threads()) > 0:
        options.intra_op_num_threads, options.inter_op_num_threads = count, 1
    return options
