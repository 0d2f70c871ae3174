"""The values of a plan: every run, step and measurement, each with its key.

Keys form a chain: the input of a step is named by the key of the step before it. So all keys are known before
the first step runs, and with them the steps that runs share and those that the store holds already.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ptx.config import RunConfig
from ptx.data import DataSet, Promised
from ptx.models.inspection import ModelFacts
from ptx.records import ModelRef
from ptx.store.store import Identity, Store


@dataclass(frozen=True)
class Step:
    """One transformation of a model, or the making of data.

    ``kind`` is ``train``, ``compress``, ``export`` or ``make``. ``models`` are those that it reads in
    addition to its input, by role; a text is the name of the step that makes the model.
    """

    kind: str
    name: str
    config: Any
    data: DataSet | Promised | None
    identity: Identity
    models: Mapping[str, ModelRef | str] = field(default_factory=dict)

    @property
    def made_by(self) -> str:
        """The key of the step that makes its data; empty where the run's data are used."""
        return str(self.identity.ingredients.get("data", {}).get("step", ""))

    @property
    def key(self) -> str:
        """The key of its result."""
        return self.identity.key


@dataclass(frozen=True)
class Measure:
    """One evaluation of one artifact; ``models`` are those that it reads beside it, as of a :class:`Step`."""

    name: str
    config: Any
    identity: Identity
    models: Mapping[str, ModelRef | str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of its result."""
        return self.identity.key


@dataclass(frozen=True)
class Work:
    """The work of a run: its steps in order, then its measurements.

    ``reference`` is the export of the original model, for evaluators that compare on a runtime with
    packages.
    """

    steps: tuple[Step, ...]
    evaluations: tuple[Measure, ...]
    reference: Step | None
    device: str


@dataclass(frozen=True)
class RunPlan:
    """One run, resolved and frozen."""

    id: str
    label: str
    verb: str
    sweep: str
    config: RunConfig
    model: ModelRef
    facts: ModelFacts
    data: DataSet | None
    work: Work
    overrides: tuple[str, ...] = ()
    varied: dict[str, str] = field(default_factory=dict)
    baseline: bool = False

    def measuring(self, evaluations: tuple[Measure, ...]) -> RunPlan:
        """The same run with other measurements."""
        return replace(self, work=replace(self.work, evaluations=evaluations))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the run, in order."""
        return self.work.steps

    @property
    def evaluations(self) -> tuple[Measure, ...]:
        """The measurements of the run."""
        return self.work.evaluations

    @property
    def reference(self) -> Step | None:
        """The export of the original model, if evaluators compare with it."""
        return self.work.reference

    @property
    def device(self) -> str:
        """The device that the run uses: ``cpu`` or ``cuda``."""
        return self.work.device


@dataclass(frozen=True)
class SweepPlan:
    """All runs of one command."""

    name: str
    verb: str
    command: str
    out: Path
    runs: tuple[RunPlan, ...]
    axes: dict[str, list[str]]
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the records."""
        return self.out / "runs" / self.name

    @property
    def is_sweep(self) -> bool:
        """Whether the command has several runs, without counting baselines."""
        return sum(not run.baseline for run in self.runs) > 1

    @property
    def store(self) -> Store:
        """The store of finished steps and evaluations."""
        return Store(self.out.absolute() / "store")


def command_line(arguments: Sequence[str]) -> str:
    """The command line, quoted for a shell."""
    return shlex.join(["ptx", *arguments])
