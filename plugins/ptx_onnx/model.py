"""A language model on ONNX Runtime GenAI: generation, log-likelihood and logits of the served package.

What onnxruntime-genai 0.18 does on the CPU, and what is done here about it:

- a batch padded on the left gives wrong scores for every row that is shorter than the longest (its attention
  treats padding as text): only prompts with the same number of tokens are served together
- in a batch, padding tokens at the end of a row are taken for padding, also where they are text (a chat
  template that closes each turn with the token that also pads): no token is named as padding
- ONNX Runtime chooses the number of threads and ignores OMP_NUM_THREADS: the number is passed on
- usage is reported to the library's makers by default: the reports are switched off
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime_genai as og
from numpy.typing import NDArray
from typing_extensions import override

from ptx.files import read_json
from ptx.lm.serving.decoding import Noise
from ptx.lm.serving.token_model import Rows, TokenModel, threads

NO_TOKEN = (
    -1
)  # for a row that has ended the library reads the last row of the embedding, and nobody the result


class OnnxLanguageModel(TokenModel):
    """A package opened with ONNX Runtime GenAI."""

    concurrent = True  # every request has its own generator; they share the weights

    def __init__(self, folder: Path, batch_size: int = 8) -> None:
        og.disable_telemetry_events()
        described = read_json(folder / "genai_config.json")["model"]
        super().__init__(
            folder,
            og.Model(_config(folder)),
            max_length=described["context_length"],
            vocabulary=described["vocab_size"],
            ends=described["eos_token_id"],
            batch_size=batch_size,
        )

    @override
    def prefill(self, rows: Rows) -> NDArray[np.float32]:
        generator = self._generator(rows, min(self.max_length, len(rows[0]) + 1))
        return np.array(
            generator.get_output("logits"), dtype=np.float32
        )  # a copy: the generator owns its buffer

    @override
    def steps(
        self, rows: Rows, most: int, noise: Noise | None = None, *, endless: bool = False
    ) -> Iterator[NDArray[Any]]:
        length = len(rows[0]) + most
        generator = self._generator(rows, length, length if endless else 0)
        for _ in range(most):
            if noise is not None:
                generator.set_logits(noise.perturb(generator.get_logits()[:, 0])[:, None])  # (B, 1, V)
            generator.generate_next_token()
            yield generator.get_next_tokens()

    def _generator(self, rows: Rows, max_length: int, min_length: int = 0) -> Any:
        """Return a generator that has read ``rows``, all of one length, and has their scores ready."""
        params = og.GeneratorParams(self.model)
        params.set_search_options(
            max_length=max_length,
            min_length=min_length,
            batch_size=len(rows),
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,
            no_repeat_ngram_size=0,
        )
        generator = og.Generator(self.model, params)
        generator.append_tokens(np.array([list(row) for row in rows], dtype=np.int32))
        return generator


def _config(folder: Path) -> Any:
    """Return the package's configuration with this process's number of threads, and no padding token."""
    config = og.Config(str(folder))
    config.overlay(json.dumps({"model": {"pad_token_id": NO_TOKEN}}))
    if (count := threads()) > 0:
        options = {"intra_op_num_threads": count, "inter_op_num_threads": 1}
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
    return config
