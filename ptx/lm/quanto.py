"""Folders that optimum-quanto packed: its safetensors, and ``quanto_qmap.json``, which says how each layer is
stored.

transformers cannot read them (its quantizer for quanto is "not serializable"): told nothing, or told
``quant_method: quanto``, it finds no weight under the names it looks for and draws them at random, with no
more than a warning. The ``quantization_config`` that is written here is one that transformers refuses; ptx
and optimum-quanto (``QuantizedModelForCausalLM.from_pretrained``) read the folder.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.files import read_json, write_json
from ptx.models.inspection import tensors_of, weight_files

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

MAP = "quanto_qmap.json"
BITS = {"int8": 8, "float8": 8, "int4": 4, "int2": 2}


def is_packed(folder: Path) -> bool:
    """Whether optimum-quanto packed the weights of the folder."""
    return (folder / MAP).is_file()


def save_packed(network: Any, tokenizer: Any, folder: Path, weights: str) -> None:
    """Write a network whose layers quanto has frozen, with ``weights`` of int8, float8, int4 or int2."""
    from optimum.quanto import quantization_map

    network.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    write_json(folder / MAP, quantization_map(network))
    # the name of the map instead of a type is what makes transformers refuse it; bits are for those who count
    # weights
    described = {"quant_method": "quanto", "weights": MAP, "packed": weights, "bits": BITS[weights]}
    write_json(folder / "config.json", read_json(folder / "config.json") | {"quantization_config": described})


def open_packed(folder: Path, device: str) -> PreTrainedModel:
    """The model in the dtype that it was packed in: quanto's tensors keep theirs.

    Raises:
        StepError: a tensor is missing, which quanto's own reader would leave as whatever the memory holds.
    """
    from optimum.quanto import QuantizedModelForCausalLM
    from transformers import GenerationConfig

    # the model; the wrapper only saves
    network: PreTrainedModel = QuantizedModelForCausalLM.from_pretrained(folder)._wrapped  # noqa: SLF001
    stored = {name for file in weight_files(folder) for name, _, _ in tensors_of(file)}
    tied = {"lm_head.weight"} if network.config.tie_word_embeddings else set()
    if missing := sorted(set(network.state_dict()) - stored - tied):
        raise StepError(
            f"no model could be read from {folder}: {len(missing)} tensors are missing on disk, first"
            f" {missing[0]}"
        )
    if (folder / "generation_config.json").is_file():
        network.generation_config = GenerationConfig.from_pretrained(folder)
    for module in network.modules():
        if hasattr(module, "qforward"):
            module.forward = _outside_inference_mode(module.forward)
    return network.to(device)


def _outside_inference_mode(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Weights below 8 bits cannot be unpacked in inference mode ("Cannot set version_counter for inference
    tensor", optimum-quanto 0.2.7).
    """
    import torch

    @functools.wraps(forward)
    def without(*args: Any, **options: Any) -> Any:
        if not torch.is_inference_mode_enabled():
            return forward(*args, **options)
        with torch.inference_mode(mode=False), torch.no_grad():
            return forward(*args, **options)

    return without


def dense(weight: Tensor) -> Tensor:
    """A weight as full numbers, whether quanto has packed it or not."""
    return weight.dequantize() if hasattr(weight, "qtype") else weight


def unpack(network: Any) -> None:
    """Put ordinary linear layers where quanto's are; what it does to activations is left out."""
    from optimum.quanto import QModuleMixin
    from torch import nn

    for name, module in list(network.named_modules()):
        if isinstance(module, QModuleMixin):
            weight = dense(module.weight.detach())
            plain = nn.Linear(weight.shape[1], weight.shape[0], bias=module.bias is not None, device="meta")
            plain.weight = nn.Parameter(weight, requires_grad=False)
            plain.bias = module.bias
            network.set_submodule(name, plain)


def flat_name(name: str) -> str:
    """A tensor's name with one part behind its module's: optimum-quanto has ``weight._scale``, and
    ``weight._data._data`` below 8 bits.
    """
    module, packed, part = name.partition(".weight._")
    return f"{module}.weight_{part.replace('.', '')}" if packed else name
