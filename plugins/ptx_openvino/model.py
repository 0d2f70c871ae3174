"""A language model on OpenVINO: a graph that keeps its cache inside, run once per token from here."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from typing_extensions import override

from ptx.files import read_json
from ptx.lm.serving.token_model import ReadingModel, threads
from ptx.models.traits import Traits

GRAPH = "openvino_model.xml"


class OpenVinoLanguageModel(ReadingModel):
    """A package opened with OpenVINO; ``properties`` are OpenVINO's own, by its names."""

    def __init__(self, folder: Path, properties: Mapping[str, Any], batch_size: int = 8) -> None:
        described = read_json(folder / "config.json")
        given: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", **properties}
        if (count := threads()) > 0:
            given["INFERENCE_NUM_THREADS"] = count
        super().__init__(
            folder,
            openvino.Core().compile_model(folder / GRAPH, "CPU", given),
            max_length=Traits.of(described).context or 0,
            vocabulary=described["vocab_size"],
            ends=described.get("eos_token_id"),
            batch_size=batch_size,
        )
        self.inputs = {one.get_any_name() for one in self.model.inputs}
        # idle infer requests: creating one takes as long as a few tokens of a small model
        self.idle: deque[Any] = deque()

    @override
    def reader(self, count: int) -> Cached:
        return Cached(self, count)

    @override
    def close(self) -> None:
        self.idle.clear()
        super().close()


class Cached:
    """Rows that are being read; their cache is in the infer request."""

    def __init__(self, lm: OpenVinoLanguageModel, count: int) -> None:
        self.lm, self.length = lm, 0
        try:
            self.request = lm.idle.pop()
            self.request.reset_state()
        except IndexError:
            self.request = lm.model.create_infer_request()
        weakref.finalize(self, lm.idle.append, self.request)
        self.beams = np.arange(count, dtype=np.int32)

    def read(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Append (B, T) tokens; return their scores, (B, T, V), valid until the next call."""
        count, new = tokens.shape
        whole = self.length + new
        given = {
            "input_ids": tokens,
            "attention_mask": np.ones((count, whole), np.int64),
            "position_ids": np.tile(np.arange(self.length, whole), (count, 1)),
            "beam_idx": self.beams,
        }
        self.request.infer(
            {name: value for name, value in given.items() if name in self.lm.inputs}, share_inputs=True
        )
        self.length = whole
        scores: NDArray[np.float32] = self.request.get_output_tensor(0).data
        return scores
