"""Give the builder's package what the builder (onnxruntime-genai 0.18, with transformers 5) leaves out.

- Sliding windows: with a cache of the window's size a prompt that is longer than the window fails. The cache
  is kept whole (``windowed_kv_cache=false``), and the window is an attribute of each layer's attention. The
  builder sets it for some families and forgets it for others. With it, ONNX Runtime 1.31 now and then
  computes the last token from stale memory, so a window below the context is refused before; one that is as
  long as the context does nothing and is left out.
- Scaled rotary embeddings: the builder knows few kinds and computes one of them (yarn) wrongly. It is given
  an unscaled configuration, and the tables are the model's own.
- Layers without rotary embedding (SmolLM3): the builder fails. It is told that all rotate, and the rotation
  of those layers is taken out again.

Only the description of the graph is written again; the weights lie in a file of their own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ptx import StepError
from ptx.files import read_json, write_json
from ptx.models.traits import Traits, ropes_of
from ptx_onnx.checks import STATIC_ROPES
from ptx_onnx.graph import FILE

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TABLES = ("cos_cache", "sin_cache")


def convertible(source: Path, scratch: Path) -> Path:
    """``source``, or a folder with links to its files and a configuration that the builder understands."""
    described = read_json(source / "config.json")
    simpler = described | (_unscaled(described) if is_scaled(described) else {})
    if not Traits.of(described).every_layer_rotates:
        simpler["no_rope_layers"] = [1] * len(described["no_rope_layers"])
    if simpler == described:
        return source
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for file in source.iterdir():
        if file.name != "config.json":
            (scratch / file.name).symlink_to(file.absolute())
    write_json(scratch / "config.json", simpler)
    return scratch


def _unscaled(described: dict[str, Any]) -> dict[str, Any]:
    """The rotary settings of a configuration without their scaling."""
    (given,) = ropes_of(described)
    theta = given.get("rope_theta", described.get("rope_theta", 10000.0))
    kept = {name: given[name] for name in ("partial_rotary_factor",) if name in given}
    return {"rope_scaling": None, "rope_parameters": {"rope_type": "default", "rope_theta": theta, **kept}}


def is_scaled(described: dict[str, Any]) -> bool:
    """Whether the rotary embedding has a scaling whose tables can be taken from the model."""
    return Traits.of(described).rope in STATIC_ROPES - {"default"}


def mend(folder: Path, network: PreTrainedModel) -> None:
    """Write the windows and the rotary tables of ``network`` into the package in ``folder``."""
    config = network.config.get_text_config()
    model = onnx.load(folder / FILE, load_external_data=False)
    layers = [node for node in model.graph.node if node.op_type == "GroupQueryAttention"]
    for layer, node in enumerate(layers):
        set_attribute(node, "local_window_size", window_of(config, layer) or -1)
        if not (getattr(config, "no_rope_layers", None) or {layer: 1})[layer]:
            set_attribute(node, "do_rotary", 0)
            node.input[7], node.input[8] = "", ""  # the tables
    if is_scaled(config.to_dict()):
        tables = rotary_tables(network, config.max_position_embeddings)
        for tensor in model.graph.initializer:
            if tensor.name in TABLES:
                table = tables[TABLES.index(tensor.name)]
                if list(tensor.dims) != list(table.shape):
                    raise StepError(f"the builder's {tensor.name} is {list(tensor.dims)}, not {table.shape}")
                tensor.CopyFrom(numpy_helper.from_array(table, tensor.name))
    onnx.save(model, folder / FILE)


def window_of(config: Any, layer: int) -> int | None:
    """The tokens that a layer's attention sees; None for all."""
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and kinds[layer] != "sliding_attention":
        return None
    window = getattr(config, "sliding_window", None)
    return window if window and window < config.max_position_embeddings else None


def set_attribute(node: Any, name: str, value: int) -> None:
    """Set an integer attribute of a node."""
    kept = [one for one in node.attribute if one.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def rotary_tables(network: PreTrainedModel, positions: int) -> tuple[NDArray[np.float32], ...]:
    """Cosines and sines (positions, half of the rotated size) as the model computes them."""
    rotary = next(module for module in network.modules() if hasattr(module, "inv_freq"))
    with torch.inference_mode():
        found = rotary(torch.zeros(1, 1, 1), torch.arange(positions)[None])
    return tuple(np.ascontiguousarray(table[0, :, : table.shape[-1] // 2].float().numpy()) for table in found)
