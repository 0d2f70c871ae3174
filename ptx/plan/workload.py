"""What a step meets, for forecasts: the sizes of its models, and the tokens of its longest example."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ptx.data import DataSet
from ptx.models.memory import Workload
from ptx.models.shape import ModelShape
from ptx.plan.lengths import longest_example
from ptx.records import ModelRef


def workload_of(
    step: Any,
    model: ModelRef,
    data: Any,
    device: str,
    others: Mapping[str, ModelRef] | None = None,
) -> Workload | None:
    """The workload of a step; None where the sizes of its model are unknown.

    ``data`` is what the step reads; of data that an earlier step will make, no row can be counted yet.
    """
    shape = ModelShape.of(model.path)
    if shape is None:
        return None
    rows = _rows(step, data)
    beside = {role: ModelShape.of(other.path) for role, other in (others or {}).items()}
    return Workload(
        shape,
        device,
        _longest(step, model.path, data) if isinstance(data, DataSet) else None,
        rows,
        {role: found for role, found in beside.items() if found is not None},
    )


def _rows(step: Any, data: Any) -> int | None:
    """The number of examples that the step reads."""
    shape = _shape_of(step, data) if isinstance(data, DataSet) else None
    return len(data.located(shape)) if shape else None


def _shape_of(step: Any, data: DataSet) -> str | None:
    return next((name for name in step.needs if name in data.shapes), None)


def _longest(step: Any, model: Path, data: DataSet) -> int | None:
    """The tokens of the longest example that the step reads."""
    shape = _shape_of(step, data)
    if shape is None:
        return None
    return _counted(data.digest(shape), model, shape, _Held(data))


class _Held:
    """A data set that equals every other one: its digest stands beside it in the cache."""

    def __init__(self, data: DataSet) -> None:
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=64)
def _counted(_digest: str, model: Path, shape: str, held: _Held) -> int | None:
    return longest_example(held.data, shape, model)
