"""Convert a model folder to plain weights: merge adapters, unpack quantised checkpoints.

Converters to other formats can read only plain weights.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ptx.errors import StepError
from ptx.files import read_json
from ptx.hooks.run import Run
from ptx.lm.load import is_adapter, load_model, load_tokenizer, save_model, weights_of
from ptx.lm.merge import merged
from ptx.lm.progress import compressed_tensors_bars
from ptx.lm.quanto import MAP, is_packed, unpack
from ptx.records import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def quantization_of(folder: Path) -> dict[str, Any]:
    """The ``quantization_config`` of a model folder or of an adapter's base; empty for plain weights."""
    config = read_json(weights_of(folder) / "config.json")
    return dict(
        config.get("quantization_config")
        or (config.get("text_config") or {}).get("quantization_config")
        or {}
    )


def is_plain(model: ModelRef) -> bool:
    """Whether the folder holds plain weights already."""
    return not is_adapter(model.path) and not quantization_of(model.path)


def open_plain(model: ModelRef, dtype: str = "float32") -> PreTrainedModel:
    """The network on the CPU with unpacked weights and no scales or codes; an adapter is merged."""
    with compressed_tensors_bars():
        network = load_model(model, dtype=dtype).eval()
        network = merged(network)
        if is_packed(weights_of(model.path)):
            unpack(network)
        elif quantization_of(model.path):
            with torch.no_grad():
                # a compressed-tensors checkpoint unpacks its weights in the first forward pass
                network(input_ids=torch.tensor([[0]]))
    return _without_scales(network) if quantization_of(model.path) else network


def open_original(run: Run, model: ModelRef) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The network and the tokenizer of ``model``, to make a package from and to compare it with.

    If the model rounds activations, the run reports that the package will not.
    """
    if rounded := rounded_activations(weights_of(model.path)):
        run.say(
            f"the checkpoint rounds activations to {rounded} while it computes, the package does not: only"
            " the weights are exported"
        )
    return open_plain(model), load_tokenizer(model.path)


def rounded_activations(folder: Path) -> str:
    """The type to which a quantised model rounds the inputs of its layers, as ``int8``; empty if none."""
    if is_packed(folder):
        return ", ".join(
            sorted(
                {layer["activations"].removeprefix("q") for layer in read_json(folder / MAP).values()}
                - {"none"}
            )
        )
    groups = quantization_of(folder).get("config_groups", {}).values()
    given = [group["input_activations"] for group in groups if group.get("input_activations")]
    return ", ".join(sorted({f"{kind['type']}{kind['num_bits']}" for kind in given}))


def write_plain(model: ModelRef, folder: Path) -> Path:
    """Write ``model`` to ``folder`` with plain weights that compute the same function."""
    save_model(open_plain(model, dtype="auto"), load_tokenizer(model.path), folder)
    return folder


def _without_scales(network: PreTrainedModel) -> PreTrainedModel:
    """The same architecture with the unpacked weights, without the scales and codes of the checkpoint."""
    config = copy.deepcopy(network.config)
    del config.quantization_config
    with torch.device("meta"):
        plain = type(network)(config)
    wanted, held = plain.state_dict(), network.state_dict()
    missing = [name for name in wanted if name not in held]
    if missing:
        raise StepError(f"the unpacked checkpoint lacks {len(missing)} weights, first {missing[0]}")
    plain.load_state_dict({name: held[name] for name in wanted}, assign=True)
    for name, buffer in network.named_buffers():
        if name not in held:  # what no file holds, such as the frequencies of rotary positions
            layer, _, own = name.rpartition(".")
            plain.get_submodule(layer).register_buffer(own, buffer, persistent=False)
    plain.tie_weights()
    plain.generation_config = network.generation_config
    return plain.eval()
