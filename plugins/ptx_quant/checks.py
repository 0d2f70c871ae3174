"""Checks of a quantisation that need only a model's small files, before a weight is loaded."""

from __future__ import annotations

import math
from pathlib import Path

from ptx import DataSet, Problem, RunConfig
from ptx.files import files_of
from ptx.guard.patterns import found_in
from ptx.lm.compression import calibration
from ptx.lm.compression.grid import group_for
from ptx.lm.compression.targets import linear_layers, quantised_problems, skip_problems
from ptx.models import inspection
from ptx_quant.architecture import AUTOROUND_UNIT, architecture_problems, uneven_layers
from ptx_quant.mixed import Mixed
from ptx_quant.settings import AutoRound, Quantizer
from ptx_quant.stored import Stored, file_bytes, packed, tensor_bytes


def problems(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Return every problem of the quantisers of a run."""
    chosen = {name: step for name, step in config.compress.items() if isinstance(step, Quantizer)}
    if not chosen:
        return []
    found = [*order_problems(config)]
    for step in chosen.values():
        found += [*dtype_problems(step, model), *skip_problems(step.skip, step.at("skip"), model)]
        # uneven layers are named beside what the architecture forbids, so that one setting mends both
        found += architecture_problems(step, model) or autoround_problems(step, model)
        found += calibration.problems(step, type(step).__name__.lower(), model, data if step.needs else None)
        if step.args:
            from ptx_quant.modifiers import args_problems

            found += args_problems(step)
    first = next(iter(config.chain().values()), None)
    if isinstance(first, Mixed):  # the input model of a later step is not known yet
        found += budget_problems(first, model)
    return [*found, *quantised_problems(list(chosen)[:1], model)]


def autoround_problems(step: Quantizer, model: Path) -> list[Problem]:
    """Report layers that AutoRound leaves out without a word: those with a side that 32 does not divide."""
    left = uneven_layers(step, model)
    if not left:
        return []
    names = [n for n in linear_layers(model) if "lm_head" not in n and not found_in(step.skip, n)]
    name, shape = next(iter(left.items()))
    what = (
        f"AutoRound quantises layers whose sides are multiples of {AUTOROUND_UNIT}, and {len(left)} of"
        f" {len(names)} layers of {model} have others, first {name} ({shape[0]} x {shape[1]})"
    )
    endings = sorted({*step.skip, *(one.rpartition(".")[2] for one in left)})
    fix = f"add {step.at('skip')}=[{','.join(endings)}], or use" if len(left) < len(names) else "use"
    return [Problem(what, f"{fix} compress=[gptq]")]


def budget_problems(step: Mixed, model: Path) -> list[Problem]:
    """Report a budget that is smaller than the tensors alone, computed from their headers.

    The step itself computes the rest of the folder exactly.
    """
    if not step.in_bytes or step.dtype != "keep" or inspection.problems(model):
        return []
    weights = inspection.weight_files(model)
    tensors = {name: (kind, shape) for file in weights for name, kind, shape in inspection.tensors_of(file)}
    layers = {name: shape for name, shape in linear_layers(model).items() if not found_in(step.skip, name)}
    stored: Stored = {
        name: tensor for name, tensor in tensors.items() if name.removesuffix(".weight") not in layers
    }
    scale = {"float16": "F16", "bfloat16": "BF16"}.get(inspection.inspect(model).dtype, "F32")
    for name, (rows, columns) in layers.items():
        form = packed(
            rows,
            columns,
            min(step.candidates),
            group_for(columns, step.group),
            symmetric=step.symmetric,
            scale=scale,
        )
        stored |= {f"{name}.{part}": tensor for part, tensor in form.items()}
    sizes = {file: file.stat().st_size for file in files_of(model)}
    before = sum(sizes.values())
    if tensor_bytes(stored) <= (step.max_bytes or step.size * before):
        return []
    others = sum(size for file, size in sizes.items() if file not in weights)
    return [out_of_reach(step, file_bytes(stored) + others, before)]


def out_of_reach(step: Mixed, least: int, before: int) -> Problem:
    """Return the problem of a budget below ``least``, the least possible bytes of the folder.

    The folder has ``before`` bytes now.
    """
    asked = f"max_bytes={step.max_bytes}" if step.max_bytes else f"size={step.size:g}"
    instead = f"max_bytes={least}" if step.max_bytes else f"size={math.ceil(1000 * least / before) / 1000:g}"
    narrowest = min(step.candidates)
    what = (
        f"compress.mixed.{asked} cannot be met: with {narrowest} bits everywhere the folder has at least"
        f" {least:,} bytes, of {before:,}"
    )
    lower = f", or candidates below {narrowest} bits" if narrowest > 2 else ""
    return Problem(what, f"try compress.mixed.{instead}{lower}")


def quantises(step: object) -> bool:
    """Return whether the step leaves packed weights."""
    return isinstance(step, Quantizer) and getattr(step, "then", "") != "none"


def order_problems(config: RunConfig) -> list[Problem]:
    """Report steps in an impossible order.

    Nothing can be trained or compressed after quantisation, which is done once, as the last step. A quantiser
    that does not keep zeros cannot follow pruning.
    """
    chain = config.chain()
    names = list(chain)
    found = []
    for place, name in enumerate(names):
        step = chain[name]
        if quantises(step) and place < len(names) - 1:
            found.append(_after(config, names, place))
        pruned = next((before for before in names[:place] if _prunes(chain[before])), "")
        if pruned and isinstance(step, Quantizer) and not step.promise().keeps_zeros:
            what = f"{name} after {pruned} would change the pruned weights from zero to other values"
            fix = "quantise a pruned model with rtn, gptq, awq or smoothquant, which keep the zeros"
            found.append(Problem(what, fix))
    return found[:1]


def _prunes(step: object) -> bool:
    promise = getattr(step, "promise", None)
    return promise is not None and promise().sparsity is not None


def _after(config: RunConfig, names: list[str], place: int) -> Problem:
    what = f"{names[place + 1]} cannot follow {names[place]}, whose weights are packed"
    if config.recipe:
        return Problem(f"recipe: step {what}", f"make {names[place]} the last step")
    others = [name for name, step in config.compress.items() if not quantises(step)]
    return Problem(
        f"compress=[{','.join(config.compress)}]: {what}",
        f"try compress=[{','.join([*others, names[place]])}]",
    )


def dtype_problems(step: Quantizer, model: Path) -> list[Problem]:
    """Report a base that is not 16-bit where the format or the algorithm needs one.

    Formats with 16-bit scales need it, and so does AutoRound, which computes in bfloat16.
    """
    if not (step.format.half or isinstance(step, AutoRound)) or inspection.problems(model):
        return []
    dtype = inspection.inspect(model).dtype if step.dtype == "keep" else step.dtype
    if dtype in ("bfloat16", "float16"):
        return []
    who = f"{step.at('scheme')}={step.scheme}" if step.format.half else "compress=[autoround]"
    what = f"{who} needs a 16-bit base, and {model} is {dtype}: it could not be used after reloading"
    return [Problem(what, f"add {step.at('dtype')}=bfloat16")]
