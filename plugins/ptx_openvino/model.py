"""A language model on OpenVINO: a graph that keeps its cache inside, driven token by token from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from ptx.lm.replies import Noise
from ptx.lm.serving import Rows, TokenModel, threads
from ptx.records import read_json

GRAPH = "openvino_model.xml"


class OpenVinoLanguageModel(TokenModel):
    """A package opened with OpenVINO; ``properties`` are the runtime's own, by its names."""

    concurrent = True  # every request is an infer request of its own, and keeps its own cache

    def __init__(self, folder: Path, properties: Mapping[str, Any], batch_size: int = 8) -> None:
        described = read_json(folder / "config.json")
        given: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", **properties}
        if (count := threads()) > 0:
            given["INFERENCE_NUM_THREADS"] = count
        super().__init__(
            folder,
            openvino.Core().compile_model(folder / GRAPH, "CPU", given),
            max_length=described["max_position_embeddings"],
            vocabulary=described["vocab_size"],
            ends=described.get("eos_token_id"),
            batch_size=batch_size,
        )
        self.inputs = {one.get_any_name() for one in self.model.inputs}

    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        """Scores after every token of ``rows``, all of one length: (B, T, V)."""
        return Reader(self, len(rows)).read(np.array(rows)).copy()

    def steps(
        self,
        rows: Rows,
        most: int,
        noise: Noise | None = None,
        *,
        endless: bool = False,  # noqa: ARG002 (a graph knows no end token)
    ) -> Iterator[NDArray[Any]]:
        """The next token of each row, ``most`` times."""
        reader, given = Reader(self, len(rows)), np.array(rows)
        for _ in range(most):
            scores = reader.read(given)[:, -1]  # (B, V)
            tokens = (scores if noise is None else noise.over(scores)).argmax(axis=-1)
            yield tokens
            given = tokens[:, None]


class Reader:
    """Rows that are being read; what was read stays in the infer request."""

    def __init__(self, lm: OpenVinoLanguageModel, count: int) -> None:
        self.lm, self.length = lm, 0
        self.request = lm.model.create_infer_request()
        self.beams = np.arange(count, dtype=np.int32)

    def read(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Append (B, T) tokens; their scores, (B, T, V), until the next call."""
        count, new = tokens.shape
        whole = self.length + new
        given = {
            "input_ids": tokens,
            "attention_mask": np.ones((count, whole), np.int64),
            "position_ids": np.tile(np.arange(self.length, whole), (count, 1)),
            "beam_idx": self.beams,
        }
        self.request.infer({name: value for name, value in given.items() if name in self.lm.inputs}, share_inputs=True)
        self.length = whole
        scores: NDArray[np.float32] = self.request.get_output_tensor(0).data
        return scores
