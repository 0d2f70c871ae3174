"""The sizes of a model that decide how much memory it takes, from config.json and the headers of its weights.

No weight is read. What config.json does not say is taken from the shapes of the stored tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ptx.guard.reading import read_object
from ptx.models.adapters import weights_of
from ptx.models.counting import Tensor, count_weights, is_scale
from ptx.models.inspection import tensors_of, weight_files
from ptx.models.package import read_package
from ptx.models.sizes import size, text_config

#: names of the width of a feed-forward block
WIDTHS = ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "d_ff")
#: names of the number of key-value heads
PAIRS = ("num_key_value_heads", "n_head_kv", "num_kv_heads")
#: activations of feed-forward blocks with two input layers end in these words in config.json
GATED = ("gate_proj", "up_gate", "gate_up_proj", "w3.", "wi_1.")
#: attention with a mask is right for these (tests/ptx/lm/training/test_branches.py): positions by rotation,
#: every layer sees all that the mask allows
ROTARY = frozenset(
    ("llama", "mistral", "qwen2", "qwen3", "phi", "phi3", "gemma", "olmo2", "granite", "gpt_neox", "stablelm")
)


@dataclass(frozen=True)
class ModelShape:
    """The sizes of one model.

    ``tables`` are the weights of the embedding and the output layer; where both are one, it counts once.
    ``ends`` are the inputs and outputs of all linear layers together: an adapter of rank r has r times as
    many weights. ``norms`` and ``head_norms`` count the norms of a layer over its hidden states and over the
    heads of its attention. With ``branches`` rows that begin alike can be read once (``share_prefix``).
    """

    parameters: int
    stored: int  # bytes
    hidden: int
    layers: int
    ffn: int
    heads: int
    pairs: int
    head_size: int
    words: int
    tables: int
    tied: bool
    gated: bool
    ends: int
    norms: int
    head_norms: int
    branches: bool = False

    @classmethod
    def of(cls, path: Path) -> ModelShape | None:
        """The sizes of a model folder; of an adapter its base's. None for a runtime package."""
        folder = weights_of(path)
        if read_package(folder):
            return None
        stamp = tuple(
            (file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in weight_files(path)
        )
        return _shape(folder, stamp)


@lru_cache(maxsize=64)
def _shape(folder: Path, stamp: tuple[tuple[str, int, int], ...]) -> ModelShape | None:
    config = read_object(folder / "config.json")
    text = text_config(config)
    tensors = [tensor for file in weight_files(folder) for tensor in tensors_of(file)]
    hidden, layers = size(config, "hidden_size"), size(config, "num_hidden_layers")
    words = size(config, "vocab_size")
    if not (hidden and layers and words and tensors):
        return None
    matrices = [(name, shape) for name, _, shape in tensors if len(shape) == 2 and not is_scale(name)]
    tables = [shape for _, shape in matrices if words in shape]
    linear = [shape for _, shape in matrices if words not in shape]
    heads = size(config, "num_attention_heads") or 1
    return ModelShape(
        parameters=count_weights(tensors, config),
        stored=sum(bytes_ for _, _, bytes_ in stamp),
        hidden=hidden,
        layers=layers,
        ffn=_first(text, WIDTHS) or _widest(linear) or 4 * hidden,
        heads=heads,
        pairs=_first(text, PAIRS) or heads,
        head_size=_first(text, ("head_dim",)) or hidden // heads,
        words=words,
        tables=sum(math.prod(shape) for shape in tables),
        tied=len(tables) < 2,
        gated=any(part in f"{name}." for name, _ in matrices for part in GATED),
        ends=sum(sum(shape) for shape in linear),
        norms=_per_layer(tensors, layers, lambda name: "norm" in name or "ln_" in name, hidden),
        head_norms=_per_layer(tensors, layers, lambda name: "q_norm" in name or "k_norm" in name),
        branches=reads_branches(text),
    )


def reads_branches(text: Mapping[str, Any]) -> bool:
    """Whether rows that begin alike can be one sequence with branches, from the configuration of the text."""
    kinds = {*(text.get("layer_types") or ["full_attention"])}
    window = text.get("sliding_window") and text.get("use_sliding_window", True)
    return text.get("model_type") in ROTARY and kinds == {"full_attention"} and not window


def _per_layer(
    tensors: list[Tensor], layers: int, counted: Callable[[str], bool], width: int | None = None
) -> int:
    """Weight vectors per layer whose names are ``counted``, of one ``width`` if that is given."""
    vectors = [
        name
        for name, _, shape in tensors
        if len(shape) == 1 and name.endswith("weight") and width in (None, shape[0])
    ]
    return sum(counted(name.lower()) for name in vectors) // layers


def _first(config: dict[str, Any], names: tuple[str, ...]) -> int:
    found = (config.get(name) for name in names)
    return next((value for value in found if isinstance(value, int) and value > 0), 0)


def _widest(linear: list[list[int]]) -> int:
    return max((max(shape) for shape in linear), default=0)
