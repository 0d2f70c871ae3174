"""The plan: every run, step and measurement with its key, made and checked before the first of them starts.

Keys chain: a step's input is named by the key of the step before it, so all keys are known here, and with
them what is shared between runs and what lies in the store already.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ptx.config import RunConfig
from ptx.data import DataSet
from ptx.models.inspection import ModelFacts
from ptx.records import ModelRef
from ptx.store.store import Identity, Store


@dataclass(frozen=True)
class Step:
    """One transformation model -> model."""

    kind: str  # train, compress or export
    name: str
    config: Any
    data: DataSet | None  # what it is fed
    identity: Identity
    models: Mapping[str, ModelRef | str] = field(
        default_factory=dict
    )  # what it reads beside its input; a text: what that step makes

    @property
    def key(self) -> str:
        """The key of its result."""
        return self.identity.key


@dataclass(frozen=True)
class Measure:
    """One evaluator on one artifact."""

    name: str
    config: Any
    identity: Identity

    @property
    def key(self) -> str:
        """The key of its result."""
        return self.identity.key


@dataclass(frozen=True)
class Work:
    """What a run does: its steps in order, then its measurements.

    ``reference`` is the export of the model as it came, for evaluators that compare on a runtime with
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
        """The same run with these measurements."""
        return replace(self, work=replace(self.work, evaluations=evaluations))

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its steps, in order."""
        return self.work.steps

    @property
    def evaluations(self) -> tuple[Measure, ...]:
        """Its measurements."""
        return self.work.evaluations

    @property
    def reference(self) -> Step | None:
        """The export of the model as it came, if evaluators compare with it."""
        return self.work.reference

    @property
    def device(self) -> str:
        """Where it runs: ``cpu`` or ``cuda``."""
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
        """Where the records lie."""
        return self.out / "runs" / self.name

    @property
    def is_sweep(self) -> bool:
        """Whether several runs were asked for, baselines not counted."""
        return sum(not run.baseline for run in self.runs) > 1

    @property
    def store(self) -> Store:
        """Where finished steps and evaluations lie."""
        return Store(self.out.absolute() / "store")


def command_line(arguments: Sequence[str]) -> str:
    """The command as it can be typed again."""
    return shlex.join(["ptx", *arguments])
