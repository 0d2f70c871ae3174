"""Weights keep their own dtype from file to file.

Many checkpoints mix dtypes: bfloat16 with float32 norms, or a float32 router. A network computes in one, so a
mixed folder is opened in float32, which holds all of them exactly, and what is saved is given the dtypes of
the original again, tensor by tensor, by the names in the files: those are the same also where a network in
memory has others (fused experts). What is saved in the dtypes of the original already is not written twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ptx.files import read_json, write_json
from ptx.models.adapters import weights_of
from ptx.models.counting import is_scale
from ptx.models.inspection import tensors_of, weight_files
from ptx.models.readable import INDEX

if TYPE_CHECKING:
    import torch

    Cast = Callable[[str, torch.Tensor, torch.dtype], torch.Tensor]

STOCHASTIC, NEAREST = ROUNDINGS = ("stochastic", "nearest")  # see ptx.lm.rounding
FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def stored_dtypes(folder: Path) -> dict[str, str]:
    """Name -> dtype of every stored tensor of floats in the folder of the full weights."""
    return {name: FLOATS[kind] for name, (kind, _) in _tensors(weights_of(folder)).items() if kind in FLOATS}


def main_dtype(folder: Path) -> str:
    """The dtype of most weights; float32 where none is a float."""
    sizes: Counter[str] = Counter()
    for kind, shape in _tensors(weights_of(folder)).values():
        if kind in FLOATS:
            sizes[FLOATS[kind]] += math.prod(shape)
    return sizes.most_common(1)[0][0] if sizes else "float32"


def exact_dtype(folder: Path) -> str:
    """A dtype that holds every stored weight exactly: the one they all have, else float32 (or float64).

    The scales of packed weights are no weights: they have a dtype of their own in any model.
    """
    stored = stored_dtypes(folder)
    held = {kind for name, kind in stored.items() if not is_scale(name)} or set(stored.values())
    if len(held) == 1:
        return held.pop()
    return "float64" if "float64" in held else "float32"


def coarsest_dtype(folder: Path) -> str:
    """The dtype with the fewest digits among the stored ones."""
    held = set(stored_dtypes(folder).values())
    return next((name for name in ("bfloat16", "float16", "float32", "float64") if name in held), "float32")


def keep_dtypes(made: Path, original: Path, cast: Cast = lambda _, tensor, dtype: tensor.to(dtype)) -> int:
    """Give tensors of ``made`` the dtypes that ``original`` has under the same names; how many changed.

    ``cast`` does it (name, tensor, dtype). Tensors that the original does not have (scales) stay as they are.
    """
    wanted, held = stored_dtypes(original), stored_dtypes(made)
    wrong = {name: wanted[name] for name in held if name in wanted and wanted[name] != held[name]}
    for file in weight_files(made):
        if any(name in wrong for name, _, _ in tensors_of(file)):
            _rewrite(file, set(wrong), weights_of(original), cast)
    if wrong:
        _describe(made, main_dtype(made))
    return len(wrong)


def _tensors(folder: Path) -> dict[str, tuple[str, list[int]]]:
    return {name: (kind, shape) for file in weight_files(folder) for name, kind, shape in tensors_of(file)}


def _rewrite(file: Path, names: set[str], original: Path, cast: Cast) -> None:
    """Write a safetensors file again with other dtypes, whole or not at all.

    A tensor that is the original's, rounded to fewer digits, becomes the original's again.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    places = {name: part for part in weight_files(original) for name, _, _ in tensors_of(part)}
    tensors: dict[str, torch.Tensor] = {}
    with safe_open(file, "pt") as stream:
        metadata = stream.metadata()
        for name in stream.keys():  # noqa: SIM118 (not a mapping)
            tensor = stream.get_tensor(name)
            if name in names:
                with safe_open(places[name], "pt") as before:
                    source = before.get_tensor(name)
                same = source.shape == tensor.shape and torch.equal(source.to(tensor.dtype), tensor)
                tensor = source if same else cast(name, tensor, source.dtype)
            tensors[name] = tensor
    part = file.with_suffix(".part")
    save_file(tensors, part, metadata=metadata)
    part.replace(file)


def _describe(folder: Path, dtype: str) -> None:
    """Let config.json and the index say what the files now hold."""
    config = read_json(folder / "config.json")
    key = "torch_dtype" if "torch_dtype" in config else "dtype"
    write_json(folder / "config.json", config | {key: dtype})
    if (folder / INDEX).is_file():
        index = read_json(folder / INDEX)
        size = sum(math.prod(shape) * _bytes(kind) for kind, shape in _tensors(folder).values())
        index["metadata"] = {**(index.get("metadata") or {}), "total_size": size}
        write_json(folder / INDEX, index)


def _bytes(kind: str) -> int:
    return {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2}.get(kind, 1)
