"""Open the weights of a model folder, and refuse those that are not what its config.json describes.

``from_pretrained`` draws a missing tensor at random, leaves out what it does not know, turns integers into
floats and takes nan as it is; it warns at most, and the model then gives numbers that mean nothing. So every
folder is first matched on the meta device: transformers' own loader, with all its renaming and fusing of
tensors, on the headers of the files, without memory for a weight. Whether the values are finite is read off
one sum per tensor after loading.
"""

from __future__ import annotations

import functools
import logging
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.files import read_json
from ptx.lm.generation_config import make_savable
from ptx.machine import freed_at_once
from ptx.models.inspection import tensors_of, weight_files

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel

#: safetensors' types of integers; a weight has one of them only in a quantised checkpoint
INTEGERS = ("I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "BOOL")
NUMBERED = re.compile(r"^(?P<list>.*?)\.(?P<place>\d+)\.")
REFUSED = (
    "{name} does not hold the model that its config.json describes: {faults}; download or save the folder"
    " again, or correct its config.json"
)


def open_weights(kind: Any, folder: Path, name: str = "", **options: Any) -> PreTrainedModel:
    """The model of a folder, whole and finite, with configurations that can be saved again.

    Args:
        kind: the class that opens it, such as ``AutoModelForCausalLM``.
        folder: the model folder.
        name: what messages call it; by default its path.
        options: further arguments of ``from_pretrained``.

    Raises:
        StepError: the weights are not those that the configuration describes, or are not finite.
        OSError, ValueError: transformers cannot read the folder.
    """
    from ptx.lm.products import use_the_faster

    use_the_faster()
    config, name = _config_of(folder), name or str(folder)
    if not (is_quantized(config) or "quantization_config" in options):
        refuse_faults(name, integer_faults(folder))
        meta, found = _opened(kind, folder, **options | {"device_map": "meta"})
        refuse_faults(name, loading_faults(meta, found, config))
    with freed_at_once():
        network, found = _opened(kind, folder, **options)
    refuse_faults(name, loading_faults(network, found, config))
    refuse_values(name, network.named_parameters())
    make_savable(network, name)
    return network


def _opened(kind: Any, folder: Path, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The model, and what transformers found out while it was loading."""
    try:
        network, found = kind.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,  # all of them are refused together
            output_loading_info=True,
            **options,
        )
    except (RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return network, found


def refuse_faults(name: str, faults: list[str]) -> None:
    """Raise StepError with all ``faults`` of the model called ``name``, if there are any."""
    if faults:
        raise StepError(REFUSED.format(name=name, faults="; ".join(faults)))


def loading_faults(network: nn.Module, found: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """What transformers reports about the tensors, as sentences; tensors of no use to the model are told."""
    missing, unknown = sorted(found.get("missing_keys") or ()), sorted(found.get("unexpected_keys") or ())
    shapes = sorted(found.get("mismatched_keys") or ())
    foreign = [name for name in unknown if _belongs(network, name, config)]
    if left_out := [name for name in unknown if name not in foreign]:
        _tell(f"not part of the language model and not read: {_counted(left_out, 'left out')}")
    faults = [
        _counted(missing, "missing on disk"),
        _counted(foreign, "in the files, and the config.json has no place for them"),
        *(
            f"{name} is {_shape(has)} in the files, by the config.json {_shape(wants)}"
            for name, has, wants in shapes[:3]
        ),
    ]
    if len(shapes) > 3:
        faults.append(f"{len(shapes)} tensors have another shape in all")
    return [fault for fault in faults if fault] + list(found.get("error_msgs") or ())


def different(wanted: Iterable[str], stored: Iterable[str]) -> list[str]:
    """The difference of two sets of names of tensors, as sentences."""
    missing, unknown = sorted(set(wanted) - set(stored)), sorted(set(stored) - set(wanted))
    faults = [_counted(missing, "missing on disk"), _counted(unknown, "in the file and have no place")]
    return [fault for fault in faults if fault]


def _belongs(network: nn.Module, name: str, config: dict[str, Any]) -> bool:
    """Whether an unknown tensor shows that the config is wrong: a further layer, or a bias that it lacks.

    Whole parts that a language model has no use for (a vision tower, a value head) are none of that.
    """
    numbered = NUMBERED.match(name)
    if numbered:
        layers = _submodule(network, numbered["list"])
        if layers is not None and hasattr(layers, "__len__"):
            beside = int(config.get("num_nextn_predict_layers") or 0)  # layers for speculative decoding
            if int(numbered["place"]) >= len(layers):
                return int(numbered["place"]) >= len(layers) + beside
    module = _submodule(network, name.rpartition(".")[0])
    # a module of attention has no weight of its own: GPT-2 stored a mask as attn.bias
    # a bias that is None shows only among the parameters
    return module is not None and "weight" in module._parameters  # noqa: SLF001


def _submodule(network: nn.Module, name: str) -> nn.Module | None:
    try:
        return network.get_submodule(name)
    except AttributeError:
        return None


def integer_faults(folder: Path) -> list[str]:
    """Weights that are stored as integers in a folder that is not quantised, from the headers alone."""
    try:
        stored = [tensor for file in weight_files(folder) for tensor in tensors_of(file)]
    except (OSError, ValueError):
        return []  # from_pretrained reports it
    names = [name for name, kind, _ in stored if kind in INTEGERS and name.endswith(".weight")]
    return [fault for fault in [_counted(sorted(names), "stored as integers")] if fault]


def refuse_values(name: str, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Raise StepError if values are not finite. One sum per tensor tells: nan and inf stay in it."""
    import torch

    plain = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
    wide = {torch.float64: torch.float64}
    wrong = [
        name
        for name, tensor in tensors
        if tensor.dtype in plain
        and tensor.device.type != "meta"
        and not math.isfinite(float(tensor.detach().sum(dtype=wide.get(tensor.dtype, torch.float32))))
        and not bool(torch.isfinite(tensor.detach()).all())  # the sum of finite values may overflow
    ]
    if wrong:
        raise StepError(
            f"the weights of {name} are broken: {_counted(wrong, 'not finite (nan or inf)')}; nothing that is"
            " made of them can be right: take the folder as it was before the step that wrote it, or download"
            " it again"
        )


def is_quantized(config: dict[str, Any]) -> bool:
    """Whether the weights are packed, by the config.json."""
    return bool(
        config.get("quantization_config") or (config.get("text_config") or {}).get("quantization_config")
    )


def _config_of(folder: Path) -> dict[str, Any]:
    try:
        config = read_json(folder / "config.json")
    except (OSError, ValueError):
        return {}  # from_pretrained reports it
    return config if isinstance(config, dict) else {}


def _counted(names: list[str], what: str) -> str:
    """``2 tensors are missing on disk: a, b``; empty without names."""
    if not names:
        return ""
    listed = ", ".join(names[:3]) + (f", and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{len(names)} {'tensors are' if len(names) > 1 else 'tensor is'} {what}: {listed}"


def _shape(size: Iterable[int]) -> str:
    return " x ".join(map(str, size))


@functools.cache
def _tell(text: str) -> None:
    """Show a line, once per process."""
    logging.getLogger("ptx").warning(text)
