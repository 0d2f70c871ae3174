"""The budget of ``compress=[mixed]``, and the cost of each layer at each width.

A budget is in bits per weight, or in bytes of the whole folder on disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import ModelRef, StepError
from ptx.files import files_of
from ptx.lm.compression.network import Layers
from ptx.lm.load import stored_bytes
from ptx_quant.checks import out_of_reach
from ptx_quant.mixed import Mixed
from ptx_quant.stored import CONFIG_BYTES, GROUP_BYTES, Stored, file_bytes, layer_bytes

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TYPES = {
    "float64": "F64",
    "float32": "F32",
    "bfloat16": "BF16",
    "float16": "F16",
    "int64": "I64",
    "int32": "I32",
    "uint8": "U8",
    "int8": "I8",
}


@dataclass(frozen=True)
class Budget:
    """The total for all layers, and the cost of each layer at each width, both in ``unit``.

    ``rest`` is the part of the folder that the widths do not change.
    """

    total: int
    costs: list[list[int]]  # one row per layer, one column per width
    rest: int = 0
    unit: str = "bits"

    def total_of(self, choice: list[int]) -> int:
        """Return the cost of a choice of widths, the rest included."""
        return self.rest + sum(costs[index] for costs, index in zip(self.costs, choice, strict=True))


def budget_of(
    config: Mixed,
    model: ModelRef,
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    layers: Layers,
    groups: Mapping[str, int],
) -> Budget:
    """Return the budget of the settings.

    Raises:
        StepError: it cannot be met; the message names the least possible budget.
    """
    widths = sorted(set(config.candidates))
    sizes = [layer.weight.numel() for layer in layers.values()]
    if not config.in_bytes:
        return Budget(
            int(config.average_bits * sum(sizes)), [[bits * size for bits in widths] for size in sizes]
        )
    rest = (
        rest_bytes(network, tokenizer, set(layers))
        + CONFIG_BYTES
        + GROUP_BYTES * len(widths) * len(set(groups.values()))
    )
    form: dict[str, Any] = {
        "symmetric": config.symmetric,
        "scale": TYPES[str(network.dtype).removeprefix("torch.")],
    }
    costs = [
        [
            layer_bytes(name, (layer.numel // layer.inputs, layer.inputs), bits, groups[name], **form)
            for bits in widths
        ]
        for name, layer in layers.items()
    ]
    before = stored_bytes(model.path)
    allowed = config.max_bytes or int(config.size * before)
    budget = Budget(allowed - rest, costs, rest, "bytes")
    if (least := budget.total_of([0] * len(costs))) > allowed:
        raise StepError(str(out_of_reach(config, least, before)))
    return budget


def rest_bytes(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, layers: set[str]) -> int:
    """Return the folder's bytes without the weights of ``layers``.

    That is: other tensors (shared ones once), config, tokenizer, chat template.
    """
    found: Stored = {}
    seen: set[int] = set()
    for name, tensor in network.state_dict().items():
        layer, _, part = name.rpartition(".")
        if (layer in layers and part == "weight") or tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        found[name] = (TYPES[str(tensor.dtype).removeprefix("torch.")], list(tensor.shape))
    with tempfile.TemporaryDirectory() as place:
        for part in (network.config, network.generation_config, tokenizer):
            part.save_pretrained(place)
        return file_bytes(found) + sum(file.stat().st_size for file in files_of(Path(place)))
