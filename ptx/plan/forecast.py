"""Before the first step: will each one fit into memory, how long does the plan take, and what does it cost?

Both follow from what is known, and say what that is: memory from the sizes of model and batch
(:mod:`ptx.lm.training.memory` is calibrated on measured peaks), time from equal steps that ran before
(:mod:`ptx.plan.rates`). Of what nobody knows it is said that it is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ptx import machine
from ptx.errors import Problem, counted
from ptx.hooks.host import Host
from ptx.models.memory import Memory, Workload
from ptx.plan.plan import Measure, RunPlan, Step, SweepPlan
from ptx.plan.preflight import place_of
from ptx.plan.rates import Expected, Rates, kind_of
from ptx.plan.workload import workload_of
from ptx.records import ModelRef

MOST_PARTS = 4
#: a step that needs more than all memory by this factor cannot run; below it the forecast may be wrong
CERTAIN = 1.1


@dataclass(frozen=True)
class StepForecast:
    """The peak of a step as it would start now; ``config`` is fitted to the memory that is free."""

    step: Step
    run: RunPlan
    config: Any
    work: Workload
    memory: Memory


@dataclass
class Forecast:
    """The forecasts of the parts of a plan that are not in the store yet."""

    plan: SweepPlan
    host: Host
    rates: Rates = field(default_factory=Rates.of_this_machine)

    @cached_property
    def parts(self) -> dict[str, tuple[RunPlan, Step | Measure]]:
        """The distinct steps and evaluations that will run, by key."""
        found: dict[str, tuple[RunPlan, Step | Measure]] = {}
        for run in self.plan.runs:
            found |= {step.key: (run, step) for step in run.steps}
            found |= {measure.key: (run, measure) for measure in run.evaluations}
        return {key: pair for key, pair in found.items() if self.plan.store.find(pair[1].identity) is None}

    @cached_property
    def expected(self) -> dict[str, Expected | None]:
        """How long each of the parts takes."""
        return {key: self._expected(run, part) for key, (run, part) in self.parts.items()}

    def _expected(self, run: RunPlan, part: Step | Measure) -> Expected | None:
        return self.rates.expected(rate_kind(self.host, run, part))

    @cached_property
    def free(self) -> dict[str, float]:
        """The free memory of the devices of the plan, asked once."""
        return {device: machine.free_bytes(device) for device in {run.device for run in self.plan.runs}}

    @cached_property
    def peaks(self) -> list[StepForecast]:
        """The steps whose memory is known: of each choice and device the one that needs most."""
        largest: dict[tuple[str, str], StepForecast] = {}
        for run, part in self.parts.values():
            found = peak_of(run, part, self.free[run.device]) if isinstance(part, Step) else None
            place = (part.name, run.device)
            if found and (place not in largest or found.memory.total > largest[place].memory.total):
                largest[place] = found
        return list(largest.values())

    def lines(self) -> list[str]:
        """The forecast in sentences: memory of each kind of step, warnings, time and cost."""
        return [*self._memory_lines(), *self._time_lines()]

    def _memory_lines(self) -> Iterator[str]:
        for one in self.peaks:
            total, free = one.memory.total, self.free[one.run.device]
            most = "" if self._count(one) == 1 else "at most "
            yield (
                f"memory: {one.step.name} needs {most}about {_size(total)} of"
                f" the {_size(free)} that {_place(one)} has free: {_parts(one.memory)}{_micro(one)}"
            )
            beside = min(max(one.run.config.workers, 1), self._count(one)) if one.run.device == "cpu" else 1
            if total * beside > free and one.run.config.cluster is None:
                times = f", {beside} of them at a time" if beside > 1 else ""
                yield f"warning: {one.step.name} may not fit{times}: {advice(one)}"

    def _count(self, one: StepForecast) -> int:
        return sum(part.name == one.step.name for _, part in self.parts.values())

    def _time_lines(self) -> Iterator[str]:
        if not self.parts:
            return
        known = {key: found for key, found in self.expected.items() if found}
        missing = [self.parts[key][1].name for key in self.parts if key not in known]
        if not known:
            yield "time: not known until the first steps have ended; none of this kind ran on this machine"
            return
        seconds = self._seconds(known)
        count = sum(found.count for found in known.values())
        share = f" for {len(known)} of {len(self.parts)} steps and evaluations" if missing else ""
        basis = f"as {counted(count, 'earlier one')} of the same kind took on this machine"
        rest = (
            f"; not known: {', '.join(dict.fromkeys(missing))}, which did not run here yet" if missing else ""
        )
        price = self.plan.runs[0].config.price_per_hour
        cost = f", cost about {seconds / 3600 * price:.2g} at {price:g} an hour" if price else ""
        yield f"time: about {duration(seconds)}{cost}{share}, {basis}{rest}"

    def _seconds(self, known: dict[str, Expected]) -> float:
        """The seconds of all known parts; timings are measured one after the other."""
        workers = max(self.plan.runs[0].config.workers, 1)
        times = [(found.seconds, _is_timed(self.parts[key][1])) for key, found in known.items()]
        alone = sum(seconds for seconds, timed in times if timed)
        return sum(seconds for seconds, timed in times if not timed) / workers + alone


def rate_kind(host: Host, run: RunPlan, part: Step | Measure) -> tuple[str, float]:
    """The kind of a step or evaluation, among those whose time is compared, and how much work it is."""
    choice = host.choice_of(part.config)
    work = _workload(run, part) if isinstance(part, Step) else None
    runtime = host.choice_of(run.config.runtime).name if isinstance(part, Measure) else ""
    name = f"{choice.group}={choice.name} {runtime}".strip()
    return kind_of(part.config, name, run.facts.parameters, run.device, work)


def peak_of(run: RunPlan, step: Step, free: float) -> StepForecast | None:
    """The memory of a step; None where nobody knows it, or another environment or machine runs it."""
    work = _workload(run, step)
    if work is None or step.config.outside() is not None:
        return None
    config = step.config.fitted(work, free)
    memory = config.memory(work)
    return StepForecast(step, run, config, work, memory) if memory else None


def _workload(run: RunPlan, step: Step) -> Workload | None:
    """The workload of a step; a model that an earlier step makes is taken to be as large as the first."""
    others = {
        role: model if isinstance(model, ModelRef) else run.model for role, model in step.models.items()
    }
    return workload_of(step.config, run.model, step.data, run.device, others)


def memory_problems(runs: Sequence[RunPlan]) -> list[Problem]:
    """The steps that need more than all memory there is, whatever the batch."""
    found = {}
    everything = {device: machine.total_bytes(device) for device in {run.device for run in runs}}
    for run in runs:
        config = run.config
        if config.launch is not None or config.cluster is not None:
            continue  # shared among ranks, or on another machine
        for step in run.steps:
            total = everything[run.device]
            peak = peak_of(run, step, total)
            if peak is None or peak.memory.least <= CERTAIN * total:
                continue
            what = (
                f"{place_of(step.name, config)}: {step.name} needs at least {_size(peak.memory.least)}"
                f" ({_parts(peak.memory)}), and {_place(peak)} has {_size(total)}"
            )
            found[what] = Problem(what, advice(peak))
    return list(found.values())


def advice(one: StepForecast) -> str:
    """What to type for a step that does not fit."""
    tries = one.config.saves_memory(one.work)
    return f"try {', '.join(tries)}" if tries else "take a smaller model, or free some memory"


def _parts(memory: Memory) -> str:
    return ", ".join(f"{name} {_size(size)}" for name, size in memory.largest(MOST_PARTS) if size > 1e6)


def _place(one: StepForecast) -> str:
    return "the GPU" if one.run.device == "cuda" else "the machine"


def _micro(one: StepForecast) -> str:
    given, now = getattr(one.step.config, "micro_batch", None), getattr(one.config, "micro_batch", None)
    return f"; micro_batch={now} of {one.config.batch_size}" if given != now else ""


def _is_timed(part: Step | Measure) -> bool:
    return bool(getattr(part.config, "timed", False))


def _size(size: float) -> str:
    if size == math.inf:
        return "unknown"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def duration(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for length, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return (
                f"{seconds / length:.1f} {unit}"
                if seconds < 10 * length
                else f"{seconds / length:.0f} {unit}"
            )
    return f"{seconds:.0f} s"
