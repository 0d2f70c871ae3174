"""Makes the plan: resolves, checks and keys every job, and reports all problems at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ptx import machine
from ptx.compose.jobs import Job
from ptx.config import Maker, RunConfig
from ptx.config.against import Named, find
from ptx.data import DataSet
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import Host
from ptx.models.shape import ModelShape
from ptx.plan.feeds import Feeds
from ptx.plan.forecast import memory_problems
from ptx.plan.inputs import Inputs
from ptx.plan.model_inputs import Further
from ptx.plan.names import label_of, run_id, sweep_name
from ptx.plan.plan import RunPlan, SweepPlan
from ptx.plan.preflight import disk_problems, folder_problems
from ptx.plan.work import work_of

NARROW = (
    "training multiplies in bfloat16, which this processor does faster (method.speed.bf16=false: float32)"
)
EXAMPLES = {"tasks": "[./folder,arc_easy]", "texts": "[./held-out.txt]", "files": "[./calls.jsonl]"}


def make_plan(
    host: Host, verb: str, jobs: Sequence[Job], command: str, resolved: dict[str, Any] | None = None
) -> SweepPlan:
    """The plan of a command, with every job resolved, checked and keyed.

    ``resolved`` is carried from plan to plan by a search (:class:`ptx.plan.inputs.Inputs`).

    Raises:
        ConfigError: with every problem of every job.
    """
    planner = _Planner(host, verb, jobs[0].config.name or sweep_name(verb, jobs), resolved)
    runs = [run for job in jobs for run in planner.runs(job)]
    out = Path(jobs[0].config.out)
    if problems := planner.problems or folder_problems(out) or _no_room(runs, out):
        raise ConfigError(problems)
    unique = {run.id: run for run in sorted(runs, key=lambda run: not run.baseline)}
    _check_against(jobs[0].config.against, list(unique.values()))
    notes = tuple(dict.fromkeys(planner.notes))
    return SweepPlan(planner.sweep, verb, command, out, tuple(unique.values()), _axes(jobs), notes)


def _no_room(runs: Sequence[RunPlan], out: Path) -> list[Problem]:
    """The problems of a disk or a memory that is too small for the steps."""
    return [*disk_problems(runs, out), *memory_problems(runs)]


def _check_against(against: str, runs: Sequence[RunPlan]) -> None:
    """Raise ConfigError unless ``against=`` names one of the runs."""
    if against:
        rows = {tuple(pair for pair in run.varied.items() if pair[0] != "seed"): run for run in runs}
        find(against, [Named(run.varied, run.label, [run.id]) for run in rows.values()])


def _axes(jobs: Sequence[Job]) -> dict[str, list[str]]:
    """The settings that vary over the jobs, with their values in the order in which they were typed."""
    axes: dict[str, list[str]] = {}
    for job in jobs:
        for key, value in job.varied.items():
            values = axes.setdefault(key, [])
            if value not in values:
                values.append(value)
    return axes


class _Planner:
    """Plans the jobs of one command and collects their problems."""

    def __init__(self, host: Host, verb: str, sweep: str, resolved: dict[str, Any] | None) -> None:
        self.host, self.verb, self.sweep = host, verb, sweep
        self.inputs = Inputs(host, resolved)
        self.notes: list[str] = []
        self._problems: list[Problem] = []

    @property
    def problems(self) -> list[Problem]:
        """The problems that were found so far."""
        return [*self.inputs.problems, *self._problems]

    def runs(self, job: Job) -> list[RunPlan]:
        """The baseline run of a job, if it needs one, and its own run; none when the job has problems."""
        before = len(self.problems)
        self.notes += job.notes
        model, data = self.inputs.model(job.config.model), self.inputs.data(job.config.data)
        if model is None or (data is None and job.config.data is not None):
            return []  # its problem was reported for the first job with this model or data
        ref, facts = model
        config, problems, notes = with_content(job, data)
        config = with_steps(config, placed_by(config, ref.path))
        if any(step.speed.bf16 for step in config.chain().values() if getattr(step, "speed", None)):
            self.notes.append(NARROW)
        self._problems += problems
        self.notes += notes
        further = self.inputs.further(config, ref)
        feeds = Feeds(self.host, config, ref, data, further)
        self._problems += feeds.problems
        self.notes += feeds.notes
        if len(self.problems) > before:
            return []

        read = {name: evaluator.work() for name, evaluator in config.eval.items()}
        self.notes += [f"eval.{name} reads {work}" for name, work in read.items() if work]
        known: dict[str, Any] = {
            "verb": self.verb,
            "sweep": self.sweep,
            "model": ref,
            "facts": facts,
            "data": data,
        }
        work, label = work_of(self.host, config, ref, feeds.by_step, further), label_of(job)
        run = RunPlan(
            run_id(label, work),
            label,
            config=config,
            work=work,
            overrides=tuple(job.overrides),
            varied=job.varied,
            **known,
        )
        if not _has_baseline(config, run, further):
            return [run]
        bare, varied = _baseline_of(config, further), _varied_of_baseline(config, job.varied)
        label = " ".join(["baseline", *(f"{key}={value}" for key, value in varied.items())])
        work = work_of(self.host, bare, ref)
        return [
            RunPlan(
                run_id(label, work), label, config=bare, work=work, varied=varied, baseline=True, **known
            ),
            run,
        ]


def with_content(job: Job, data: DataSet | None) -> tuple[RunConfig, list[Problem], list[str]]:
    """The run with the empty fields of its evaluators filled with the files beside the data (tasks, texts).

    An evaluator without any is left out, with a note; if the user named it, that is a problem.
    """
    chosen, problems, notes = {}, [], []
    for name, config in job.config.eval.items():
        part = next((part for part in config.filled_from_data if getattr(config, part, None) == []), "")
        found = getattr(data, config.filled_from_data[part]) if part and data is not None else None
        if not part or (found is None and config.self_sufficient):
            chosen[name] = config
        elif found is not None:
            chosen[name] = dataclasses.replace(config, **{part: [str(found)]})
        elif "eval" in job.given:
            where = f"data={data.name} has none" if data else "no data is given"
            fix = (
                f"name them: eval.{name}.{part}={EXAMPLES[part]}, or choose data that has some (data=tiny"
                " for the embedded model and models made from it)"
            )
            problems.append(Problem(f"eval.{name} has no {part}: {where}", fix))
        else:
            hint = f"name them with eval.{name}.{part}=[...]"
            notes.append(f"eval.{name} is left out: it has no {part} ({hint})")
    evaluators = {name: config.resolved(job.config) for name, config in chosen.items()}
    config = dataclasses.replace(job.config, eval=evaluators)
    found = with_steps(config, lambda step: step.resolved(config) if isinstance(step, Maker) else step)
    return found, problems, notes


def placed_by(config: RunConfig, model: Path) -> Callable[[Any], Any]:
    """A function that fills in what of a step follows from the machine and from the model of the run."""
    shape, device = ModelShape.of(model), machine.resolve_device(config.device)
    return lambda step: step if shape is None else step.placed(shape, device)


def with_steps(config: RunConfig, change: Callable[[Any], Any]) -> RunConfig:
    """The run with every step changed."""
    if config.recipe:
        steps = {name: change(step) for name, step in config.chain().items()}
        return dataclasses.replace(config, recipe={**config.recipe, "steps": steps})
    single = {"make": config.make, "method": config.method}
    changed: dict[str, Any] = {name: change(step) for name, step in single.items() if step is not None}
    compress = {name: change(step) for name, step in config.compress.items()}
    return dataclasses.replace(config, **changed, compress=compress)


def _has_baseline(config: RunConfig, run: RunPlan, further: Mapping[str, Further]) -> bool:
    """Whether a baseline is measured as well: where the original model differs from the run's result."""
    differs = config.chain() or config.baseline_runtime not in (None, config.runtime)
    return bool(config.baseline and run.evaluations and differs and _baseline_of(config, further).eval)


def _baseline_of(config: RunConfig, further: Mapping[str, Further]) -> RunConfig:
    """The run without its steps, on the runtime of the baseline.

    What asks a model that a step makes (a reward model) is left out: the baseline has no steps.
    """
    declared = config.baseline_runtime
    made = {name for name, roles in further.items() if any(isinstance(one, str) for one in roles.values())}
    evaluators = {name: one for name, one in config.eval.items() if f"eval.{name}" not in made}
    runtime = config.runtime if declared is None else declared
    groups = ("recipe", "make", "method", "baseline_runtime")
    nothing: dict[str, Any] = dict.fromkeys(groups) | {"compress": {}}
    return dataclasses.replace(config, eval=evaluators, runtime=runtime, **nothing)


def _varied_of_baseline(config: RunConfig, varied: dict[str, str]) -> dict[str, str]:
    """The varied values of a run that its baseline has too."""
    groups = {"model", "runtime", "decode", "eval"} - ({"runtime"} if config.baseline_runtime else set())
    return {key: value for key, value in varied.items() if key.partition(".")[0] in groups}
