"""One inventory of a model's weight matrices. Whatever counts or changes "the layers" of a model asks it.

A decoder's weights are not all ``nn.Linear``. GPT-2 has ``Conv1D``, whose weight is stored as inputs x
outputs. The experts of a mixture are most of its weights, and transformers 5 holds them as 3-dimensional
parameters of one module, without a layer each. A mixture's router is a matrix too, but a small error in it
sends tokens to other experts, so it is never pruned or quantised. The output matrix may be the embedding
(tied). Some architectures read a layer's weight themselves and do not call the layer (Mamba's ``dt_proj``).

The inventory works on a model without weights as well (:func:`described`), built from ``config.json``: what a
step cannot do is known before anything is loaded.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.files import read_json
from ptx.guard.patterns import found_in
from ptx.lm.stored_names import GATED, STORED_PARTS, saved_names
from ptx.models.adapters import is_adapter, weights_of

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

LAYER, EXPERTS, ROUTER, OUTPUT, EMBEDDING = "layer", "experts", "router", "output", "embedding"
#: config fields that say how many experts a mixture has
EXPERT_COUNTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
#: names of routers; only in a mixture, because ``gate`` alone means something else elsewhere
ROUTER_NAME = re.compile(r"(^|\.)(gate|router|[a-z_]*expert_gate)(\.|$)")
#: an expert's projection where every expert has layers of its own
EXPERT_PROJECTION = re.compile(r"(?P<one>(?P<stack>.*\.experts)\.\d+)\.(?P<part>\w+)")

#: model types whose decoder consists of linear layers that are called: no experts, no ``Conv1D``, no weight
#: that the model reads itself. A test builds each of them and looks; others are built to be looked at.
PLAIN = (
    *("llama", "mistral", "qwen2", "qwen3", "granite", "smollm3", "gemma", "gemma2", "gemma3_text"),
    *("phi", "phi3", "olmo", "olmo2", "gpt_neox", "starcoder2", "cohere", "stablelm"),
)


@dataclass(frozen=True)
class Piece:
    """One matrix of a :class:`Matrix`: all of it, or in a stack one projection of one expert.

    ``names`` are those that a pattern may find: the name of a whole matrix; for a projection its own, that in
    files (``experts.3.w1``) and the stack's.
    """

    names: tuple[str, ...]
    expert: int = 0
    rows: slice = field(default_factory=lambda: slice(None))

    def of(self, view: Tensor) -> Tensor:
        """Its part of ``view`` (matrices, outputs, inputs), as a view (outputs, inputs)."""
        return view[self.expert][self.rows]

    def matches(self, patterns: Iterable[str]) -> bool:
        """Whether one of the regular expressions is found in one of its names."""
        return any(found_in(patterns, name) for name in self.names)


@dataclass(frozen=True)
class Matrix:
    """A weight matrix of a network, or a stack of them (the experts of one layer).

    ``name`` is the module's name, for a stack of experts with the parameter's: ``...mlp.experts.down_proj``.
    ``chosen`` are the pieces that are meant where a part of a stack is left out.
    """

    name: str
    role: str
    module: nn.Module
    attribute: str = "weight"
    transposed: bool = False  # stored as inputs x outputs
    chosen: tuple[Piece, ...] | None = None
    saved: str = ""  # the parameter's name in files, where transformers gives it another one

    @property
    def weight(self) -> Tensor:
        """The parameter as it is stored; a packed layer has none."""
        weight: Tensor = getattr(self.module, self.attribute)
        return weight

    @property
    def parameter(self) -> str:
        """The name of the parameter in the network."""
        return self.name if self.attribute != "weight" else f"{self.name}.weight"

    def turned(self, weight: Tensor) -> Tensor:
        """A view of ``weight``, in the form of this matrix, as (matrices, outputs, inputs)."""
        stacked = weight if weight.dim() == 3 else weight[None]
        return stacked.transpose(1, 2) if self.transposed else stacked

    @property
    def view(self) -> Tensor:
        """A view of the weight as (matrices, outputs, inputs); changing it changes the network."""
        return self.turned(self.weight.detach())

    @property
    def inputs(self) -> int:
        """The number of inputs of one matrix."""
        return int(self.view.shape[2])

    @property
    def numel(self) -> int:
        """The number of weights."""
        return int(self.weight.numel())

    @functools.cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The single matrices that are meant."""
        if self.chosen is not None:
            return self.chosen
        stack = self.role == EXPERTS and self.weight.dim() == 3
        return tuple(_stacked(self)) if stack else (Piece(_names(self.name)),)

    def split(self, skip: Iterable[str]) -> tuple[Matrix | None, Matrix | None]:
        """What no pattern of ``skip`` finds, and what one does; None for nothing."""
        patterns = list(skip)
        found = [piece.matches(patterns) for piece in self.pieces]
        if all(found) or not any(found):
            return (None, self) if any(found) else (self, None)
        left, out = (
            tuple(piece for piece, one in zip(self.pieces, found, strict=True) if one is wanted)
            for wanted in (False, True)
        )
        return replace(self, chosen=left), replace(self, chosen=out)

    def meant(self, weight: Tensor) -> Tensor:
        """What is meant of ``weight``, in the form of this matrix, as (rows, inputs).

        It is a copy where a part is left out.
        """
        view = self.turned(weight)
        if self.chosen is None:
            return view.flatten(0, 1)
        import torch

        return torch.cat([piece.of(view) for piece in self.pieces])


def inventory(network: nn.Module) -> dict[str, Matrix]:
    """All weight matrices of ``network`` by name, in its order.

    A weight that two modules share (a tied output layer) is listed once, as an embedding.
    """
    output, inputs = _ends(network)
    mixture, names_in_files = is_mixture(network), saved_names(network)
    found: dict[str, Matrix] = {}
    seen: set[int] = set()
    for name, module in network.named_modules():
        for attribute, weight in module.named_parameters(recurse=False):
            matrix = _matrix(name, module, attribute, weight.dim(), mixture=mixture)
            if matrix is None or id(weight) in seen:
                continue
            seen.add(id(weight))
            role = EMBEDDING if module is inputs else OUTPUT if module is output else matrix.role
            made = Matrix(matrix.name, role, module, attribute, matrix.transposed)
            found[matrix.name] = replace(made, saved=names_in_files(made.parameter))
    return found


def changeable(network: nn.Module) -> dict[str, Matrix]:
    """The matrices that a compressor may change: linear layers and experts.

    These are all but embeddings, the output layer and routers.
    """
    return {name: one for name, one in inventory(network).items() if one.role in (LAYER, EXPERTS)}


def kept(network: nn.Module, skip: Iterable[str]) -> dict[str, Matrix]:
    """The :func:`changeable` matrices, without what the patterns of ``skip`` find.

    A pattern may find a part of a stack: ``experts.3.gate_proj`` is half of the rows of one expert.
    """
    patterns = list(skip)
    asked = {name: one.split(patterns)[0] for name, one in changeable(network).items()}
    return {name: one for name, one in asked.items() if one is not None}


def _stacked(matrix: Matrix) -> Iterator[Piece]:
    """The projections of each expert of a stack, in its order."""
    stack = matrix.name
    experts, outputs, _ = matrix.view.shape
    parent = stack if matrix.attribute == "weight" else stack.rpartition(".")[0]
    parts = STORED_PARTS.get(matrix.attribute, ((matrix.attribute,),))[0]
    apart = getattr(matrix.module, "is_concatenated", True) is False  # their rows alternate
    rows = outputs // len(parts)
    for expert in range(experts):
        for place, part in enumerate(parts):
            own = slice(place, None, len(parts)) if apart else slice(place * rows, (place + 1) * rows)
            yield Piece(_names(f"{parent}.{expert}.{part}", matrix.attribute), expert, own)


def _names(name: str, attribute: str = "") -> tuple[str, ...]:
    """The names of a matrix: its own; for an expert's projection that of files, and the stack's, too.

    ``attribute`` is the parameter that it is a part of; without one, experts have a gate.
    """
    found = EXPERT_PROJECTION.fullmatch(name)
    if found is None:
        return (name,)
    part = found["part"]
    attribute = attribute or ("gate_up_proj" if part in GATED else part)
    own, *others = STORED_PARTS.get(attribute, ((),))
    stored = [f"{found['one']}.{other[own.index(part)]}" for other in others]
    return (name, *stored, f"{found['stack']}.{attribute}")


def is_mixture(network: nn.Module) -> bool:
    """Whether the network is a mixture of experts."""
    config: Any = getattr(network, "config", None)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return any((getattr(text, field, None) or 0) > 1 for field in EXPERT_COUNTS) or any(
        "Experts" in type(module).__name__ for module in network.modules()
    )


def _ends(network: nn.Module) -> tuple[nn.Module | None, nn.Module | None]:
    """The output layer and the input embedding."""
    asked = (getattr(network, name, None) for name in ("get_output_embeddings", "get_input_embeddings"))
    output, inputs = (ask() if ask is not None else None for ask in asked)
    return output, inputs


def _matrix(name: str, module: nn.Module, attribute: str, dimensions: int, *, mixture: bool) -> Matrix | None:
    """The matrix that a parameter is; None for vectors, convolutions and other tensors."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    kind = type(module).__name__
    if attribute == "weight" and dimensions == 2:
        if isinstance(module, nn.Embedding):
            return Matrix(name, EMBEDDING, module)
        if mixture and (ROUTER_NAME.search(name) or "Router" in kind):
            return Matrix(name, ROUTER, module)
        if isinstance(module, nn.Linear | Conv1D):
            return Matrix(name, LAYER, module, transposed=isinstance(module, Conv1D))
        return None
    experts = "Expert" in kind and dimensions in (2, 3) and not attribute.endswith("bias")
    if experts and (dimensions == 3 or "GLU" in kind):
        own = name if attribute == "weight" else f"{name}.{attribute}"
        return Matrix(own, EXPERTS, module, attribute, transposed=_is_transposed(module))
    return None


def _is_transposed(module: nn.Module) -> bool:
    """Whether experts are stored as inputs x outputs: transformers says so; Llama 4 is older than that."""
    stated = getattr(module, "is_transposed", None)
    return bool(stated) if stated is not None else type(module).__name__.startswith("Llama4")


def model_type(model: Path) -> str:
    """The architecture's name in config.json, for an adapter that of its base; empty where there is none."""
    file = (weights_of(model) if is_adapter(model) else model) / "config.json"
    return str(read_json(file).get("model_type", "")) if file.is_file() else ""


def described(folder: Path) -> PreTrainedModel | None:
    """The model that ``config.json`` in ``folder`` describes, without weights; None if that is no such model.

    An adapter is described by its base.
    """
    base = weights_of(folder) if is_adapter(folder) else folder
    file = base / "config.json"
    return _built(file, file.stat().st_mtime_ns) if file.is_file() else None


@functools.lru_cache(maxsize=8)
def _built(file: Path, _changed: int) -> PreTrainedModel | None:
    """A model on the meta device; built once per config, for all steps and runs of a sweep."""
    from ptx.lm.load import quiet

    quiet()
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(file.parent, local_files_only=True, trust_remote_code=False)
        if getattr(config, "quantization_config", None) is not None:
            del config.quantization_config
        with torch.device("meta"):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
        return model.eval()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, ImportError):
        return None  # other checks say what is wrong with the folder
