"""The data that steps make: counted and checked as soon as they are made, and again by the step that learns.

They are opened and checked by the functions that open and check a file of the user, so no trainer ever gets
rows that a user could not have given it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ptx.data import DataSet, Promised, check, open_data
from ptx.errors import ConfigError, Problem, StepError
from ptx.files import read_rows
from ptx.hooks.run import Run
from ptx.plan.keys import reads_of
from ptx.plan.plan import Step
from ptx.plan.preflight import configs_by_method
from ptx.records import DataRef, ModelRef


def counts_of(step: Step, made: DataRef, logged: Mapping[str, float]) -> dict[str, float]:
    """The numbers of a step that has made data, with those that it has ``logged``; its rows are checked.

    Raises:
        StepError: it has made no rows, or rows that nothing could learn from.
    """
    reads = step.config.needs and step.data is not None
    shape = step.data.require(step.config.needs, step.name) if reads and step.data is not None else ""
    gives = step.config.gives(shape)
    rows = {given: sum(1 for _ in read_rows(made.path / f"{given}.jsonl")) for given in gives}
    rows_in = len(step.data.rows(shape)) if isinstance(step.data, DataSet) and shape else 0
    counts = {"rows_in": float(rows_in)} if rows_in else {}
    counts |= {"rows_out": float(sum(rows.values()))} | {name: float(logged[name]) for name in logged}
    if counts.get("rows_in") and counts["rows_out"] <= counts["rows_in"]:  # a maker may write more of each
        counts.setdefault("acceptance", counts["rows_out"] / counts["rows_in"])
    if empty := [given for given, count in rows.items() if not count]:
        numbers = ", ".join(f"{name} {value:g}" for name, value in counts.items())
        raise StepError(f"{step.name} made no rows of {' and '.join(empty)} ({numbers})")
    if problems := _problems_of(step.name, made, gives):
        raise StepError(f"{step.name} made rows that cannot be used: {_joined(problems)}")
    return counts


def _problems_of(name: str, made: DataRef, gives: tuple[str, ...]) -> list[Problem]:
    try:
        data = open_data(name, made.path)
        return [problem for shape in gives for problem in check(data, shape)[0]]
    except ConfigError as error:
        return list(error.problems)


def fed(run: Run, step: Step, made: Mapping[str, ModelRef | DataRef], model: ModelRef) -> Step:
    """The step with the data that an earlier step has made, checked as the plan checks those of a user.

    A step that reads the run's data, or none, is returned as it is.

    Raises:
        StepError: with everything that is wrong with the rows for this step.
    """
    if not isinstance(step.data, Promised):
        return step
    data = open_data(step.data.name, made[step.data.name].path)
    shapes = [data.require(needs, step.name) for needs in (step.config.needs, *reads_of(step.config))]
    problems = [problem for shape in shapes for problem in check(data, shape)[0]]
    if problems := problems or _found_by_plugins(run, step, data, model):
        raise StepError(f"{step.name} cannot use what {data.name} has made: {_joined(problems)}")
    return dataclasses.replace(step, data=data)


def _found_by_plugins(run: Run, step: Step, data: DataSet, model: ModelRef) -> list[Problem]:
    """What plugins find in the rows for the method of the step (``ptx_validate``)."""
    part = next((part for _, part in configs_by_method(run.config) if part.method is step.config), None)
    if part is None:
        return []
    models = {role: other.path for role, other in run.models.items()}
    asked = dataclasses.replace(part, compress={})
    answers = run.host.hook.ptx_validate(config=asked, model=model.path, data=data, models=models)
    return [problem for found in answers for problem in found]


def _joined(problems: list[Problem]) -> str:
    return "; ".join(str(problem) for problem in problems)
