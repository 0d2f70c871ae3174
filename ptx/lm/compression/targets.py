"""The linear layers of a model, read from the headers of its files, and checks of patterns over their names.

No weight is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ptx.errors import Problem, did_you_mean
from ptx.files import read_json
from ptx.guard.patterns import found_in, of_user
from ptx.lm.matrices import EXPERTS, PLAIN, Matrix, described, inventory, kept, model_type
from ptx.models import inspection

PRUNE = "prune it instead: compress=[magnitude]"
#: 2-dimensional weights that belong to no linear layer
EMBEDDINGS = re.compile(r"embed|(^|\.)(wte|wpe|shared)$")


def other_matrices(model: Path, skip: Iterable[str]) -> list[Matrix]:
    """The weight matrices to compress that are no linear layers, from config.json alone."""
    if model_type(model) in PLAIN or (network := described(model)) is None:
        return []
    from torch import nn

    return [one for one in kept(network, skip).values() if not isinstance(one.module, nn.Linear)]


def linear_problems(where: str, skip: Iterable[str], model: Path) -> list[Problem]:
    """A problem if the step ``where``, which changes linear layers alone, would leave out other matrices."""
    other = other_matrices(model, skip)
    if not other:
        return []
    kinds = ", ".join(sorted({type(one.module).__name__ for one in other}))
    what = (
        f"{where} changes linear layers alone, and {len(other)} weight matrices of {model_type(model)} are of"
        f" the kind {kinds}, first {other[0].name}"
    )
    experts = all(one.role == EXPERTS for one in other)
    return [Problem(what, instead_for_experts(model_type(model)) if experts else instead(model))]


def instead_for_experts(kind: str) -> str:
    """What compresses the experts of this type of model."""
    from ptx.lm.compression.linear import expert_by_expert

    return "use compress=[gptq] or compress=[rtn]" if expert_by_expert(kind) else PRUNE


def instead(model: Path) -> str:
    """What compresses a model on which a special compressor cannot work."""
    if model_type(model) in PLAIN:
        return "quantise it instead: compress=[gptq]"
    return PRUNE


def linear_layers(model: Path) -> dict[str, tuple[int, int]]:
    """Name -> (outputs, inputs) of each linear layer of a model folder, including the output layer.

    Empty when the folder is not a complete model.
    """
    if inspection.problems(model):
        return {}
    found = {}
    for file in inspection.weight_files(model):
        for name, _, shape in inspection.tensors_of(file):
            layer, _, part = name.rpartition(".")
            if part == "weight" and len(shape) == 2 and not EMBEDDINGS.search(layer):
                found[layer] = (shape[0], shape[1])
    return found


def check_patterns(field: str, patterns: Iterable[str]) -> None:
    """Check that every pattern of ``field`` is a regular expression.

    Raises:
        ValueError: a pattern is not one.
    """
    for pattern in patterns:
        of_user(pattern, field, "'down_proj'")


def layer_names(model: Path) -> list[str]:
    """All names of the weight matrices of a model folder that a pattern may find."""
    if model_type(model) not in PLAIN and (network := described(model)) is not None:
        pieces = (piece for one in inventory(network).values() for piece in one.pieces)
        names = [name for piece in pieces for name in piece.names]
    else:
        names = list(linear_layers(model))
    return [*dict.fromkeys(names), "lm_head"]  # a tied output layer is not stored


def skip_problems(skip: Iterable[str], field: str, model: Path) -> list[Problem]:
    """A problem for each pattern of ``field`` that matches no weight matrix of the model."""
    if not skip:
        return []
    names = layer_names(model)
    endings = sorted({name.rpartition(".")[2] for name in names})
    if len(names) == 1:
        return []
    return [
        Problem(
            f"{field}: {pattern!r} matches no linear layer of {model}",
            f"{did_you_mean(pattern, endings)} (a regular expression, searched for in the names)",
        )
        for pattern in skip
        if not any(found_in([pattern], name, field) for name in names)
    ]


def quantised_problems(names: Iterable[str], model: Path) -> list[Problem]:
    """A problem if the weights of ``model`` are quantised already: ``compress=[names]`` cannot read them."""
    chosen, file = ",".join(names), model / "config.json"
    if not chosen or not file.is_file() or "quantization_config" not in read_json(file):
        return []
    return [Problem(f"compress=[{chosen}]: {model} is quantised already", "start from the original model")]
