"""A model's weights under llama.cpp's names and in its orders, and the way back.

Every difference but one is another order of the same numbers, so the way back follows from the way there:
the numbers 0, 1, 2, ... are put into the file's order, and say where each number of the file belongs. The
exception is what is added to norms (Gemma).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray

from ptx import StepError
from ptx_gguf.architectures import ARCHITECTURES, Architecture

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Array = NDArray[Any]


def architecture_of(network: PreTrainedModel) -> Architecture:
    """Return llama.cpp's architecture for ``network``."""
    return ARCHITECTURES[next(name for name in network.config.architectures if name in ARCHITECTURES)]


def tensors_of(network: PreTrainedModel) -> Iterator[tuple[str, str, NDArray[np.float32]]]:
    """Yield every weight with its name in the model and llama.cpp's, in the latter's order."""
    shift = architecture_of(network).shift
    for source, tensor in network.named_parameters():
        for name, value in placed(network, source, tensor.detach().float().numpy()):
            yield source, name, value + np.float32(shift) if shift and is_norm(source) else value
    factors = rope_factors(network)
    if factors is not None:
        yield "", "rope_freqs.weight", factors


def read_into(network: PreTrainedModel, file: Path) -> None:
    """Give ``network`` the weights of a file of its architecture, as they were rounded.

    Raises:
        StepError: the file lacks a weight.
    """
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    shift = architecture_of(network).shift
    for source, tensor in network.named_parameters():
        value = np.empty(tensor.numel(), dtype=np.float32)
        places = np.arange(tensor.numel()).reshape(tensor.shape)
        for name, order in placed(network, source, places):
            if name not in found:
                raise StepError(f"the file has no {name}")
            stored = gguf.dequantize(found[name].data, found[name].tensor_type)
            value[order.reshape(-1)] = stored.reshape(-1)
        value -= np.float32(shift) if is_norm(source) else 0
        tensor.data.copy_(torch.from_numpy(value).reshape(tensor.shape))


def is_norm(source: str) -> bool:
    """Whether a weight is a norm's."""
    return source.endswith("norm.weight")


def placed(network: PreTrainedModel, source: str, value: Array) -> Iterator[tuple[str, Array]]:
    """Yield llama.cpp's names for a weight, each with its part of the numbers, in llama.cpp's order.

    Raises:
        StepError: there is no place for it.
    """
    config, arch = network.config.get_text_config(), architecture_of(network)
    kinds = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(kinds[arch.name], config.num_hidden_layers)
    for own, part in _parts(arch, config, source, value):
        found = names.get_name(own, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise StepError(f"llama.cpp's {arch.name} has no place for {own} {tuple(value.shape)}")
        yield found, np.ascontiguousarray(part)


def _parts(arch: Architecture, config: Any, source: str, value: Array) -> list[tuple[str, Array]]:
    """The numbers of a weight in llama.cpp's order, in two parts where it splits a weight."""
    layer = source.rpartition(".")[0]
    if source.endswith("experts.gate_up_proj"):
        gate, up = np.split(value, 2, axis=1)
        return [(f"{layer}.gate_proj.weight", gate), (f"{layer}.up_proj.weight", up)]
    if source.endswith("experts.down_proj"):
        return [(f"{source}.weight", value)]
    if arch.pairs and layer.endswith(("q_proj", "k_proj")):
        heads = config.num_attention_heads
        shared = getattr(config, "num_key_value_heads", None) or heads
        value = interleaved(value, shared if layer.endswith("k_proj") else heads)
    elif arch.name == "gptneox" and layer.endswith("query_key_value"):
        heads = config.num_attention_heads
        turned = value.reshape(heads, 3, value.shape[0] // heads // 3, -1).swapaxes(0, 1)
        value = turned.reshape(value.shape)
    elif arch.name == "gpt2" and value.ndim == 2 and layer.rpartition(".")[2].startswith("c_"):
        value = value.T
    return [(source, value)]


def interleaved(weight: Array, heads: int) -> Array:
    """Reorder the rows of each head (O / heads) from (first half, second half) to neighbouring pairs.

    A bias has rows of one number.
    """
    paired = weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2)
    return np.ascontiguousarray(paired.reshape(weight.shape))


def rotated(network: PreTrainedModel) -> Any | None:
    """Return the module that holds the rotary frequencies, where all layers have the same."""
    return next((module for module in network.modules() if hasattr(module, "inv_freq")), None)


def rope_factors(network: PreTrainedModel) -> NDArray[np.float32] | None:
    """Return by how much each rotary frequency is divided; None where none is."""
    rotary = rotated(network)
    if rotary is None or architecture_of(network).ropes == ("default",):
        return None
    frequencies = rotary.inv_freq.double().numpy()
    theta = float(network.config.get_text_config().rope_parameters["rope_theta"])
    plain = theta ** -(np.arange(len(frequencies)) / len(frequencies))
    factors = np.asarray(plain / frequencies, dtype=np.float32)
    return None if np.allclose(factors, 1) else factors
