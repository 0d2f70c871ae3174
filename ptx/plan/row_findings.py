"""All findings on the rows that a step reads; ``ptx check`` and the plan of a run both ask here.

Problems stop a run, notes do not. Each has a name (:mod:`ptx.data.findings.catalogue`), which ``check.allow``
waives.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ptx.config import Evaluator
from ptx.data import DataSet, check
from ptx.data.findings.checking import Found
from ptx.data.findings.overlap import overlaps
from ptx.machine import uncollected
from ptx.models.folder import open_folder
from ptx.models.sizes import context
from ptx.plan.alike import alike
from ptx.plan.contamination import contamination
from ptx.plan.learnt import learnt
from ptx.plan.lengths import Measured, lengths, limit_of
from ptx.plan.rendering import rendering


def of_rows(data: DataSet, shape: str, evaluators: Mapping[str, Evaluator]) -> Found:
    """The problems of the rows themselves, and the notes; ``evaluators`` may ask what they hold."""
    with uncollected():
        return _of_rows(data, shape, evaluators)


def _of_rows(data: DataSet, shape: str, evaluators: Mapping[str, Evaluator]) -> Found:
    problems, notes = check(data, shape)
    if problems:
        return problems, notes
    return [], [*notes, *alike(data, shape), *overlaps(data, shape), *contamination(data, shape, evaluators)]


def on_model(data: DataSet, shape: str, model: Path, method: Any = None) -> tuple[Found, Measured]:
    """The problems and notes of sound rows as the model reads them, and their lengths."""
    with uncollected():
        return _on_model(data, shape, model, method)


def _on_model(data: DataSet, shape: str, model: Path, method: Any) -> tuple[Found, Measured]:
    refused, notes = rendering(data, shape, model)
    limit = limit_of(method, context(open_folder(model).text))
    measured: Measured = data.once(
        f"lengths {model} {limit}", shape, lambda: lengths(data, shape, model, limit)
    )
    notes = [*notes, *learnt(data, shape, model, method), *measured.notes]
    return ([*refused, *measured.problems], notes), measured
