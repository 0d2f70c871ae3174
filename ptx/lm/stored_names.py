"""The names under which files hold a network's weight matrices, where transformers 5 gives them others.

transformers renames parameters while it loads (NemotronH's ``backbone.`` becomes ``model.``, GraniteMoE's
``input_linear.weight`` a stack of experts) and joins the experts that files hold one by one. It saves them
under their names in files. What compares a network with files has to know both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ptx.lm.matrices import Matrix

GATED = ("gate_proj", "up_proj")
#: a stack of experts as transformers holds it -> how files name the parts of which its rows are joined
STORED_PARTS = {
    "gate_up_proj": (GATED, ("w1", "w3")),
    "up_proj": (("up_proj",), ("w1",)),
    "down_proj": (("down_proj",), ("w2",)),
}


def saved_names(network: nn.Module) -> Callable[[str], str]:
    """A function from the name of a parameter to its name in files; "" where that is the same."""
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping
    from transformers.core_model_loading import WeightRenaming

    kind = str(getattr(getattr(network, "config", None), "model_type", ""))
    entries: list[Any] = get_checkpoint_conversion_mapping(kind) or []
    renamed = [one.reverse_transform() for one in entries if type(one) is WeightRenaming]

    def saved(name: str) -> str:
        found = name
        for entry in renamed:
            found, _ = entry.rename_source_key(found)
        return "" if found == name else found

    return saved


def own_name(matrix: Matrix, names: Collection[str]) -> str:
    """The name of the one tensor that holds the matrix among ``names``; empty where none does."""
    return next((one for one in (matrix.parameter, matrix.saved) if one in names), "")


def stored_parts(matrix: Matrix, names: Iterable[str]) -> list[list[str]]:
    """The names of the layers in files, of which a stack of experts is made: one list per expert.

    Files may hold each expert's projections by themselves: ``block_sparse_moe.experts.3.w1`` and ``.w3`` are
    rows of expert 3 of ``mlp.experts.gate_up_proj``. Empty where ``names`` (of tensors) has no such parts.
    """
    layer = re.match(r".*?\.\d+\.", matrix.name)
    if matrix.role != "experts" or layer is None:
        return []
    # ``.weight`` of a dense part, ``.weight_packed`` of a packed one
    pattern = re.compile(re.escape(layer[0]) + r"(?:.*\.)?experts\.(\d+)\.(\w+)\.weight(?:_packed)?$")
    at = {(int(found[1]), found[2]): name for name in names if (found := pattern.fullmatch(name))}
    experts = sorted({expert for expert, _ in at})
    for parts in STORED_PARTS.get(matrix.attribute, ()):
        if experts and all((expert, part) in at for expert in experts for part in parts):
            return [[at[expert, part].rpartition(".")[0] for part in parts] for expert in experts]
    return []


def is_stored(matrix: Matrix, names: Collection[str]) -> bool:
    """Whether files with tensors of these ``names`` hold the matrix under a name that is known."""
    return bool(own_name(matrix, names) or stored_parts(matrix, names))


def stored_tensor(
    matrix: Matrix, names: Collection[str], read: Callable[[str], Tensor | None]
) -> Tensor | None:
    """The matrix as files hold it, in the form of the parameter; None where they do not.

    Args:
        matrix: what is looked for.
        names: the names of all tensors.
        read: reads one tensor.
    """
    import torch

    if own := own_name(matrix, names):
        return read(own)
    rows = []
    for parts in stored_parts(matrix, names):
        tensors = [tensor for part in parts if (tensor := read(f"{part}.weight")) is not None]
        if len(tensors) < len(parts):
            return None
        rows.append(torch.cat(tensors))
    if not rows:
        return None
    stacked = torch.stack(rows)
    return stacked.transpose(1, 2) if matrix.transposed else stacked
