"""Problems of quantisation-aware training that are found before the model is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptx import Compressor, Method, Problem, RunConfig
from ptx.lm.compression.targets import linear_problems, skip_problems
from ptx.lm.training.method import TrlMethod
from ptx_qat import RoundToNearest

RANGE_OBSERVERS = ("", "minmax")  # observers that use the range of the weights


def problems(config: RunConfig, qat: RoundToNearest, model: Path) -> list[Problem]:
    """All problems of training ``config.method`` with rounded weights."""
    method, found = config.method, skip_problems(qat.skip, "method.qat.skip", model)
    found += linear_problems("qat=rtn", qat.skip, model)
    if not isinstance(method, TrlMethod):
        what = f"qat=rtn wraps the loop of a TRL trainer, and {type(method).__name__} has another loop"
        found.append(Problem(what, "take another method, such as method=sft, or leave out qat=rtn"))
    if method.lora is not None:
        what = "qat=rtn trains the weights that will be rounded, and with adapters these do not change"
        found.append(Problem(what, "leave out lora=lora"))
    if config.launch is not None and config.launch.shards:
        what = "qat=rtn needs the full weights in every rank, and this launch shards them"
        found.append(Problem(what, "try launch=torchrun"))
    return found + list(_grid_problems(config, qat))


def _grid_problems(config: RunConfig, qat: RoundToNearest) -> Iterator[Problem]:
    """Problems of the first later step that rounds weights: it must round to the same grid.

    Weights that were trained for another grid are worse than untrained ones.
    """
    chain = list(config.chain().items())
    place = next((number for number, (_, step) in enumerate(chain) if step is config.method), len(chain))
    name, step = next(((name, step) for name, step in chain[place + 1 :] if _rounds(step)), ("", None))
    where = f"recipe.steps.{name}" if config.recipe else f"compress.{name}"
    wanted: dict[str, Any] = {
        "bits": qat.bits,
        "group_size": qat.group_size,
        "symmetric": qat.symmetric,
        "skip": qat.skip,
    }
    given = {field: getattr(step, field) for field in wanted if hasattr(step, field)}
    if given and step is not None and step.promise().bits != qat.bits:
        given["bits"] = step.promise().bits  # a named scheme decides
    differing = {field: value for field, value in given.items() if value != wanted[field]}
    if differing:
        shown = ", ".join(f"{field}={value}" for field, value in differing.items())
        typed = " ".join(f"{where}.{field}={_as_typed(wanted[field])}" for field in differing)
        what = (
            f"qat=rtn trains for {', '.join(f'{field}={wanted[field]}' for field in differing)}, and"
            f" {name} rounds to {shown}"
        )
        yield Problem(what, f"type {typed}")
    if step is not None and not step.promise().nothing_else:
        what = (
            f"qat=rtn trains the weights for rounding without any change before it, and {name} scales or"
            " rotates them first"
        )
        yield Problem(what, "round them with compress=[rtn]")
    observer = getattr(step, "observer", "")
    if observer not in RANGE_OBSERVERS:
        yield Problem(
            f"qat=rtn trains for the range of the weights, and {where}.observer={observer} uses another",
            "leave it out",
        )


def _rounds(step: object) -> bool:
    return isinstance(step, Compressor) and not isinstance(step, Method) and step.promise().bits is not None


def _as_typed(value: object) -> str:
    return f"[{','.join(value)}]" if isinstance(value, list) else str(value).lower()
