"""Model folders that optimum-quanto packed: safetensors, and the types of layers in ``quanto_qmap.json``.

transformers cannot read them: its quantizer for quanto is "not serializable". Without a
``quantization_config``, or with ``quant_method: quanto``, it finds no weight under the names that it expects,
initialises all at random, and only warns. The ``quantization_config`` that is written here makes transformers
raise an error instead. ptx and optimum-quanto (``QuantizedModelForCausalLM.from_pretrained``) can read the
folder.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError, counted
from ptx.files import read_json, write_json
from ptx.models.inspection import tensors_of, weight_files

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAP = "quanto_qmap.json"
BITS = {"int8": 8, "float8": 8, "int4": 4, "int2": 2}


def is_packed(folder: Path) -> bool:
    """Whether optimum-quanto packed the weights in the folder."""
    return (folder / MAP).is_file()


def save_packed(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, weights: str
) -> None:
    """Write a network whose layers quanto has frozen; ``weights`` is int8, float8, int4 or int2."""
    from optimum.quanto import quantization_map

    # quanto's reader wants the names that modules have, not those of older checkpoints (GPT-NeoX: embed_out)
    network._weight_conversions = []  # noqa: SLF001 (transformers has no other way to keep the names)
    network.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    write_json(folder / MAP, quantization_map(network))
    # transformers refuses the folder because "weights" names a file instead of a type; "bits" is for tools
    # that compute the model's size
    described = {"quant_method": "quanto", "weights": MAP, "packed": weights, "bits": BITS[weights]}
    write_json(folder / "config.json", read_json(folder / "config.json") | {"quantization_config": described})


def open_packed(folder: Path, device: str) -> PreTrainedModel:
    """The packed model on ``device``, in the dtype in which it was packed.

    Raises:
        StepError: a tensor is missing; quanto's own reader would leave it uninitialised.
    """
    from optimum.quanto import QuantizedModelForCausalLM
    from transformers import GenerationConfig

    # the wrapper around the model only adds saving
    network: PreTrainedModel = QuantizedModelForCausalLM.from_pretrained(folder)._wrapped  # noqa: SLF001
    stored = {name for file in weight_files(folder) for name, _, _ in tensors_of(file)}
    tied = {"lm_head.weight"} if network.config.tie_word_embeddings else set()
    if missing := sorted(set(network.state_dict()) - stored - tied):
        raise StepError(
            f"no model could be read from {folder}: {counted(len(missing), 'tensor', 'is', 'are')} missing"
            f" on disk, first {missing[0]}"
        )
    if (folder / "generation_config.json").is_file():
        network.generation_config = GenerationConfig.from_pretrained(folder)
    _compute_in_one_dtype(network)
    _align(network)
    for module in network.modules():
        if hasattr(module, "qforward"):
            module.forward = _outside_inference_mode(module.forward)
    return network.to(device)


def _compute_in_one_dtype(network: PreTrainedModel) -> None:
    """Give plain weights the dtype of the packed ones: a file may keep its norms in another."""
    packed = next((one for one in network.parameters() if hasattr(one, "qtype")), None)
    for one in network.parameters():
        if packed is not None and not hasattr(one, "qtype") and one.is_floating_point():
            one.data = one.data.to(packed.dtype)


def _align(network: PreTrainedModel) -> None:
    """Copy packed integers out of the mapped file, where they begin at any byte.

    PyTorch's int8 product for bfloat16 (``_weight_int8pack_mm``) kills the process on such addresses.
    """
    for one in network.parameters():
        held: Any = one if hasattr(one, "qtype") else None
        if held is not None and hasattr(held._data, "_data"):  # noqa: SLF001 (below 8 bits: packed twice)
            held = held._data  # noqa: SLF001
        if held is not None:
            held._data = held._data.clone()  # noqa: SLF001


def _outside_inference_mode(forward: Callable[..., Any]) -> Callable[..., Any]:
    """``forward`` under ``no_grad`` instead of inference mode.

    Weights below 8 bits cannot be unpacked in inference mode ("Cannot set version_counter for inference
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
    """The weight dequantised if quanto has packed it, else unchanged."""
    return weight.dequantize() if hasattr(weight, "qtype") else weight


def unpack(network: nn.Module) -> None:
    """Replace quanto's layers by ordinary linear layers in place; activations are no longer quantised."""
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
    """A tensor's name with exactly one part after the name of its module.

    optimum-quanto has ``weight._scale``, and below 8 bits ``weight._data._data``; they become
    ``weight_scale`` and ``weight_data_data``.
    """
    module, packed, part = name.partition(".weight._")
    return f"{module}.weight_{part.replace('.', '')}" if packed else name
