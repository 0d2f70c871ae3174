"""The network that a compressor works on: loaded with adapters merged, its matrices, its old weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ptx import ModelRef, Run, StepError
from ptx.guard.patterns import found_in
from ptx.lm.compression.grid import endings
from ptx.lm.dtypes import exact_dtype
from ptx.lm.load import is_adapter, load_model
from ptx.lm.matrices import EMBEDDING, Matrix, changeable, inventory, kept
from ptx.lm.merge import merged
from ptx.lm.stored_names import is_stored, stored_tensor
from ptx.models import sizes
from ptx.models.inspection import tensors_of, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Layers = dict[str, Matrix]
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
        network = merged(network)
    if getattr(network.config, "quantization_config", None) is not None:
        raise StepError(
            f"{model.path} is quantised already and cannot be compressed again; prune first:"
            " compress=[sparsegpt,gptq]"
        )
    return network.eval()


def stored_dtype(model: ModelRef) -> str:
    """A dtype in which all stored weights are exact: compressing must not change what it does not compress.

    ``config.json`` is not asked, because it may say another one.
    """
    name = exact_dtype(model.path)
    return name if name in ("float32", "bfloat16", "float16") else "auto"


def context_of(network: PreTrainedModel) -> int | None:
    """The model's context length in tokens; None when its config does not state it."""
    return sizes.context_of(network.config.get_text_config())


def targeted_matrices(network: nn.Module, skip: Sequence[str]) -> Layers:
    """The weight matrices to compress, by name: linear layers and experts.

    These are all but embeddings, the output layer, routers and those in whose name a pattern of ``skip`` is
    found; of a stack of experts a part may be left.

    Raises:
        StepError: a pattern matches no layer, or no layer is left.
    """
    # a tied output layer is listed as the embedding
    matrices = [one for one in inventory(network).values() if one.role != EMBEDDING]
    names = {name for one in matrices for piece in one.pieces for name in piece.names} | {"lm_head"}
    for pattern in skip:
        if not any(found_in([pattern], name) for name in names):
            raise StepError(
                f"skip pattern {pattern!r} matches no linear layer; there are"
                f" {', '.join(sorted(endings(names)))}"
            )
    if found := kept(network, skip):
        return found
    raise StepError(
        f"no linear layer is left to compress: skip={list(skip)} leaves out all {len(changeable(network))}"
        if skip
        else f"no linear layer is left to compress: {type(network).__name__} has none"
    )


def targeted_layers(network: nn.Module, skip: Sequence[str]) -> dict[str, nn.Linear]:
    """The linear layers among :func:`targeted_matrices`, as modules.

    Raises:
        StepError: as there; or some matrices are no linear layers.
    """
    matrices = linear_alone(targeted_matrices(network, skip), "this step")
    return {name: one.module for name, one in matrices.items() if isinstance(one.module, nn.Linear)}


def linear_alone(layers: Layers, who: str) -> Layers:
    """``layers``, where all of them are plain linear layers.

    Raises:
        StepError: some are not. The plugins say so before the run; the input of a later step is known here.
    """
    other = [name for name, one in layers.items() if not isinstance(one.module, nn.Linear)]
    if other:
        kind = type(layers[other[0]].module).__name__
        raise StepError(
            f"{who} changes linear layers, and {len(other)} of {len(layers)} weight matrices are of the kind"
            f" {kind}, first {other[0]}; prune the model instead: compress=[magnitude]"
        )
    return layers


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
    """Weight matrices in the files of a model, by name.

    Each is read from its file on access, so there is no second copy of the model in memory.
    """

    def __init__(self, folder: Path, layers: Layers) -> None:
        self.files = {name: file for file in weight_files(folder) for name, _, _ in tensors_of(file)}
        self.layers = layers

    def read(self, tensor: str) -> Tensor | None:
        """One tensor; None where no file has this name."""
        if tensor not in self.files:
            return None
        with safe_open(self.files[tensor], framework="pt") as file:
            return torch.as_tensor(file.get_tensor(tensor))

    def __getitem__(self, layer: str) -> Tensor:
        found = stored_tensor(self.layers[layer], self.files, self.read)
        if found is None:
            raise KeyError(layer)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)


def weights_before(model: ModelRef, layers: Layers) -> Weights:
    """The weights of ``layers`` before compression.

    They are read from the folder when it stores them under names that are known, and copied otherwise: the
    merged weights of an adapter are stored nowhere.
    """
    if not is_adapter(model.path):
        stored = StoredWeights(model.path, layers)
        if all(is_stored(one, stored.files) for one in layers.values()):
            return stored
    return {name: layer.weight.detach().cpu().clone() for name, layer in layers.items()}


def logits(network: PreTrainedModel, ids: Tensor) -> Tensor:
    """Logits of the token ids (B, T): float32 on the CPU, (B, T, V)."""
    with torch.no_grad():
        return torch.as_tensor(network(input_ids=ids.to(network.device)).logits).float().cpu()
