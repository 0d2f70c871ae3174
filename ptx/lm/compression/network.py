"""The network that a compressor works on: loaded with adapters merged, its linear layers, its old weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ptx import ModelRef, Run, StepError
from ptx.files import read_json
from ptx.lm.compression.grid import endings
from ptx.lm.load import base_of, is_adapter, load_model
from ptx.models.inspection import tensors_of, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Layers = dict[str, nn.Linear]
Weights = Mapping[str, Tensor]


def load_merged(run: Run, model: ModelRef, dtype: str = "") -> PreTrainedModel:
    """A fresh copy of the model from disk; an adapter is merged into its base.

    It has the dtype that it is stored in, or ``dtype``. llm-compressor reads ``config.json`` in its folder.

    Raises:
        StepError: the model is quantised already.
    """
    network = load_model(model, dtype=dtype or stored_dtype(model), device=run.device)
    if hasattr(network, "merge_and_unload"):
        run.say("merging the adapter into its base before compressing")
        network = network.merge_and_unload()
    if getattr(network.config, "quantization_config", None) is not None:
        raise StepError(
            f"{model.path} is quantised already and cannot be compressed again; prune first:"
            " compress=[sparsegpt,gptq]"
        )
    return network.eval()


def stored_dtype(model: ModelRef) -> str:
    """The dtype of the stored weights, or ``auto``: compressing must not double the size of other layers."""
    folder = base_of(model.path) if is_adapter(model.path) else model.path
    config = read_json(folder / "config.json")
    name = str(config.get("dtype") or config.get("torch_dtype") or "auto")
    return name if name in ("float32", "bfloat16", "float16") else "auto"


def context_of(network: PreTrainedModel) -> int | None:
    """The model's context length in tokens; None when its config does not state it."""
    return getattr(network.config.get_text_config(), "max_position_embeddings", None)


def targeted_layers(network: nn.Module, skip: Sequence[str]) -> Layers:
    """The linear layers to compress, by name.

    These are all but the output embedding and the layers in whose name a pattern of ``skip`` is found.

    Raises:
        StepError: a pattern matches no layer, or no layer is left.
    """
    linear = {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear)}
    for pattern in skip:
        if not any(re.search(pattern, name) for name in linear):
            raise StepError(
                f"skip pattern {pattern!r} matches no linear layer; there are"
                f" {', '.join(sorted(endings(linear)))}"
            )
    output = network.get_output_embeddings()
    kept = {
        name: module
        for name, module in linear.items()
        if module is not output and not any(re.search(p, name) for p in skip)
    }
    if not kept:
        raise StepError(
            f"no linear layer is left to compress: skip={list(skip)} leaves out all {len(linear)}"
        )
    return kept


def ignore_patterns(network: nn.Module, layers: Layers) -> list[str]:
    """Patterns for llm-compressor's ``ignore``: every linear layer that is not among ``layers``.

    They are regular expressions: llm-compressor adds a dot to the end of a module's name, so a literal name
    never matches.
    """
    others = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name not in layers
    ]
    return [rf"re:{re.escape(name)}\.?$" for name in others]


def zero_share(weights: Sequence[Tensor]) -> float:
    """The fraction of exact zeros over all ``weights``."""
    return float(
        sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
    )


class StoredWeights(Mapping[str, Tensor]):
    """The weights of linear layers in a model folder, by layer name.

    Each weight is read from its file on access, so there is no second copy of the model in memory.
    """

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files

    def __getitem__(self, layer: str) -> Tensor:
        with safe_open(self.files[layer], framework="pt") as file:
            tensor: Tensor = file.get_tensor(f"{layer}.weight")
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def weights_before(model: ModelRef, layers: Layers) -> Weights:
    """The weights of ``layers`` before compression.

    They are read from the folder when it stores them under these names, and copied otherwise: the merged
    weights of an adapter are stored nowhere, and some architectures store weights under other names than
    their modules have.
    """
    stored = (
        {}
        if is_adapter(model.path)
        else {name: file for file in weight_files(model.path) for name, _, _ in tensors_of(file)}
    )
    if all(f"{name}.weight" in stored for name in layers):
        return StoredWeights({name: stored[f"{name}.weight"] for name in layers})
    return {name: layer.weight.detach().cpu().clone() for name, layer in layers.items()}


def logits(network: PreTrainedModel, ids: Tensor) -> Tensor:
    """Logits of the token ids (B, T): float32 on the CPU, (B, T, V)."""
    with torch.no_grad():
        return torch.as_tensor(network(input_ids=ids.to(network.device)).logits).float().cpu()
