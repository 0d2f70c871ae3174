"""Making the plan: resolve, check and key every job, and say everything that is wrong in one go."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptx import machine
from ptx.compose.jobs import Job
from ptx.config import Compressor, Method, RunConfig
from ptx.config.against import Named, find
from ptx.data import DataSet, check, open_data
from ptx.errors import ConfigError, Problem
from ptx.files import cache_folder
from ptx.hooks.host import Host
from ptx.models import inspection
from ptx.models.package import read_package
from ptx.plan.keys import Ingredients, reads_of
from ptx.plan.model_inputs import Further, further_models
from ptx.plan.names import label_of, run_key, slug, sweep_name
from ptx.plan.plan import Measure, RunPlan, Step, SweepPlan
from ptx.plan.preflight import (
    disk_problems,
    outside_problems,
    package_problems,
    parts_of,
    place_of,
    scorer_problems,
    serving_problems,
)
from ptx.plan.serialize import thaw
from ptx.records import ModelRef
from ptx.store.store import Identity

EXAMPLES = {"tasks": "[./folder,arc_easy]", "texts": "[./held-out.txt]"}


def open_choice(host: Host, value: Any) -> DataSet:
    """Resolve and open a ``data=`` choice."""
    path = host.first("ptx_resolve", value=value, cache=cache_folder())
    extra = {name: getattr(value, name) for name in ("columns", "shape") if getattr(value, name, None)}
    return open_data(host.name_of(value), path, limit=value.limit, **extra)


def make_plan(
    host: Host, verb: str, jobs: Sequence[Job], command: str, resolved: dict[str, Any] | None = None
) -> SweepPlan:
    """Resolve, check and key every job; raises one :class:`ConfigError` with everything that is wrong.

    A search plans trial by trial: ``resolved`` carries the models and data over, so that they are opened once
    and stay what they were.
    """
    planner = _Planner(host, resolved)
    name = jobs[0].config.name or sweep_name(verb, jobs)
    runs = [run for job in jobs for run in planner.runs(verb, name, job)]
    if not planner.problems:
        planner.problems += disk_problems(runs, Path(jobs[0].config.out))
    if planner.problems:
        raise ConfigError(planner.problems)
    unique = {run.id: run for run in sorted(runs, key=lambda run: not run.baseline)}
    if against := jobs[0].config.against:
        rows = {
            tuple(pair for pair in run.varied.items() if pair[0] != "seed"): run for run in unique.values()
        }
        find(against, [Named(run.varied, run.label, [run.id]) for run in rows.values()])
    axes: dict[str, list[str]] = {}
    for job in jobs:
        for key, value in job.varied.items():
            axes.setdefault(key, [])
            axes[key] += [value] if value not in axes[key] else []
    out = Path(jobs[0].config.out)
    return SweepPlan(
        name, verb, command, out, tuple(unique.values()), axes, tuple(dict.fromkeys(planner.notes))
    )


def replan(host: Host, record: dict[str, Any]) -> RunPlan:
    """The plan of one run from its frozen record (run.json), in another process and without Hydra.

    Raises:
        ConfigError: a key came out otherwise than when it was frozen, since an input has changed in between.
    """
    planner = _Planner(host)
    config = thaw(record["config"], host)
    model = planner.once(config.model, planner.resolve_model)
    data = planner.once(config.data, planner.resolve_data)
    further = planner.further(config, model[0]) if model else {}
    feeds = planner.feeds(config, model[0], data, further) if model else {}
    if planner.problems:
        raise ConfigError(planner.problems)
    ref, facts = model
    made = planner.run(record["verb"], record["sweep"], config, ref, facts, data, feeds, further)
    frozen = {part["name"]: part for part in [*record["steps"], *record["evaluations"]]}
    parts: list[Step | Measure] = [*made.steps, *made.evaluations]
    for part in parts:
        if part.key != frozen[part.name]["key"]:
            changed = differences(frozen[part.name]["ingredients"], part.identity.ingredients)
            raise ConfigError(
                Problem(
                    f"{record['id']}: {part.name} has changed since it was planned: {changed}",
                    "start the command again",
                )
            )
    known = {name: record[name] for name in ("id", "label", "varied", "baseline")}
    return dataclasses.replace(made, overrides=tuple(record["overrides"]), **known)


def differences(before: Any, after: Any, where: str = "") -> str:
    """``config.beta 0.1 -> 0.2, libraries.trl ...``: the leaves that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = dict.fromkeys([*before, *after])
        found = [
            differences(before.get(key), after.get(key), f"{where}.{key}" if where else key) for key in keys
        ]
        return ", ".join(part for part in found if part)
    return "" if before == after else f"{where} {before} -> {after}"


class _Planner:
    """Plans jobs, resolving each distinct model and data value once and collecting what is wrong."""

    def __init__(self, host: Host, resolved: dict[str, Any] | None = None) -> None:
        self.host = host
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._resolved: dict[str, Any] = {} if resolved is None else resolved

    def runs(self, verb: str, sweep: str, job: Job) -> list[RunPlan]:
        """The run of a job, and that of its baseline; empty when something is wrong with it."""
        before = len(self.problems)
        self.notes += job.notes
        model = self.once(job.config.model, self.resolve_model)
        data = self.once(job.config.data, self.resolve_data)
        if model is None or (data is None and job.config.data is not None):
            return []  # the first job with this model or data has named the problem
        config = self._with_tasks(job, data)
        ref, facts = model
        further = self.further(config, ref)
        feeds = self.feeds(config, ref, data, further)
        if len(self.problems) > before:
            return []
        made = self.run(verb, sweep, config, ref, facts, data, feeds, further)
        run = dataclasses.replace(
            made, label=label_of(job), overrides=tuple(job.overrides), varied=job.varied
        )
        run = dataclasses.replace(run, id=f"{slug(run.label)}-{run_key(run)[:8]}")
        declared = config.baseline_runtime
        if not (
            config.baseline and run.evaluations and (config.chain() or declared not in (None, config.runtime))
        ):
            return [run]
        runtime = config.runtime if declared is None else declared
        bare = dataclasses.replace(
            config, recipe=None, method=None, compress={}, runtime=runtime, baseline_runtime=None
        )
        base = self.run(verb, sweep, bare, ref, facts, data, {}, {})
        same = {
            key: value
            for key, value in job.varied.items()
            if key.partition(".")[0] in ("model", "runtime", "decode", "eval")
        }
        if declared is not None:
            same = {key: value for key, value in same.items() if key.partition(".")[0] != "runtime"}
        label = " ".join(["baseline", *(f"{key}={value}" for key, value in same.items())])
        base = dataclasses.replace(base, label=label, varied=same, baseline=True)
        return [dataclasses.replace(base, id=f"{slug(label)}-{run_key(base)[:8]}"), run]

    def once(self, value: Any, resolve: Any) -> Any:
        if value is None:
            return None
        key = f"{type(value).__name__}{dataclasses.asdict(value)}"
        if key not in self._resolved:
            try:
                self._resolved[key] = resolve(value)
            except ConfigError as error:
                self.problems += error.problems
                self._resolved[key] = None
        return self._resolved[key]

    def resolve_model(self, value: Any) -> tuple[ModelRef, inspection.ModelFacts]:
        path = self.host.first("ptx_resolve", value=value, cache=cache_folder())
        found = inspection.problems(path)
        if found:
            raise ConfigError(found)
        facts = inspection.inspect(path)
        kind = (
            "package"
            if read_package(path)
            else "adapter"
            if (path / "adapter_config.json").exists()
            else "full"
        )
        return ModelRef.of(path, kind), facts  # type: ignore[arg-type]

    def resolve_data(self, value: Any) -> DataSet:
        return open_choice(self.host, value)

    def further(self, config: RunConfig, model: ModelRef) -> dict[str, Further]:
        """The models that the steps read beside their input."""
        try:
            return further_models(
                self.host, config, model, lambda value: (self.once(value, self.resolve_model) or (None,))[0]
            )
        except ConfigError as error:
            self.problems += error.problems
            return {}

    def _with_tasks(self, job: Job, data: DataSet | None) -> RunConfig:
        """Fill empty fields of evaluators with what came with the data; without any, leave the evaluator out
        and say so.
        """
        chosen = {}
        for name, config in job.config.eval.items():
            part = next((part for part in config.filled_from_data if getattr(config, part, None) == []), "")
            found = getattr(data, config.filled_from_data[part]) if part and data is not None else None
            if not part or (found is None and config.self_sufficient):
                chosen[name] = config
            elif found is not None:
                chosen[name] = dataclasses.replace(config, **{part: [str(found)]})
            elif "eval" in job.given:
                where = f"data={data.name} brings none" if data else "no data is given"
                fix = (
                    f"name them: eval.{name}.{part}={EXAMPLES[part]}, or data that brings some (data=tiny for"
                    " the embedded model and what was made of it)"
                )
                self.problems.append(Problem(f"eval.{name} has no {part}: {where}", fix))
            else:
                self.notes.append(
                    f"eval.{name} is left out: it has no {part} (name them with eval.{name}.{part}=[...])"
                )
        return dataclasses.replace(
            job.config, eval={name: config.resolved(job.config) for name, config in chosen.items()}
        )

    def feeds(
        self, config: RunConfig, model: ModelRef, data: DataSet | None, further: dict[str, Further]
    ) -> dict[str, DataSet]:
        """The data of each step that takes some; checks it, and asks the plugins what else is wrong."""
        feeds: dict[str, DataSet] = {}
        self.problems += serving_problems(config, self.host)
        if found := package_problems(config, model, self.host):
            self.problems += found
            return feeds
        exported = [config.runtime] if model.kind != "package" else []
        for step in (*config.chain().values(), *exported):
            self.problems += outside_problems(step)
        for name, step in config.chain().items():
            if not step.needs:
                continue
            choice = self.host.choice_of(step)
            who = f"{choice.group}={choice.name}"
            if data is None:
                wanted = " or ".join(step.needs)
                self.problems.append(
                    Problem(f"{who} needs data ({wanted})", "give data=tiny, data=./my.jsonl or a folder")
                )
                continue
            try:
                feeds[name] = self._fed(config, name, data)
            except ConfigError as error:
                self.problems += error.problems
                continue
            for needs in (step.needs, *reads_of(step)):
                self._check(feeds[name], needs, who)
        self.problems += scorer_problems(config)
        for name, part in parts_of(config):
            there = {
                role: ref.path for role, ref in further.get(name, {}).items() if isinstance(ref, ModelRef)
            }
            for found in self.host.hook.ptx_validate(config=part, model=model.path, data=data, models=there):
                self.problems += [problem.at(place_of(name, config)) for problem in found]
        return feeds

    def _check(self, data: DataSet, needs: Sequence[str], who: str) -> None:
        """Whether the data gives one of the shapes, and what is wrong with its rows."""
        try:
            shape = data.require(needs, who, fits=self._fits())
        except ConfigError as error:
            self.problems += error.problems
            return
        found, warnings = check(data, shape)
        self.problems += found
        self.notes += [f"{data.name}: {warning}" for warning in warnings] + [data.describe(shape)]

    def _fed(self, config: RunConfig, name: str, data: DataSet) -> DataSet:
        """A recipe's step may name the shape of the data family that it learns from: safety training from the
        safety rows.
        """
        wanted = config.recipe["data"].get(name) if config.recipe else None
        return data.only(wanted, f"recipe.steps.{name}") if wanted else data

    def _fits(self) -> dict[str, list[str]]:
        fits: dict[str, list[str]] = {}
        for (group, name), choice in self.host.choices.items():
            for shape in choice.config_type.needs if group == "method" else ():  # type: ignore[attr-defined]
                fits.setdefault(shape, []).append(f"method={name}")
        return fits

    def run(
        self,
        verb: str,
        sweep: str,
        config: RunConfig,
        model: ModelRef,
        facts: inspection.ModelFacts,
        data: DataSet | None,
        feeds: dict[str, DataSet],
        further: dict[str, Further],
    ) -> RunPlan:
        ingredients = Ingredients(self.host, config, machine.resolve_device(config.device))
        artifact: dict[str, Any] = {"model": model.digest}
        steps: dict[str, Step] = {}
        exports = config.runtime.exports and model.kind != "package"
        reference = (
            ingredients.reference(model)
            if ingredients.baseline_runtime.exports and model.kind != "package"
            else None
        )
        for name, step in (config.chain() | ({"export": config.runtime} if exports else {})).items():
            kind = (
                "train"
                if isinstance(step, Method)
                else "compress"
                if isinstance(step, Compressor)
                else "export"
            )
            found = ingredients.of_step(kind, step, name, artifact, feeds.get(name))
            beside = {
                role: steps[there].name if isinstance(there, str) else there
                for role, there in further.get(name, {}).items()
            }
            if beside:
                found["models"] = {
                    role: {"step": steps[there].key} if isinstance(there, str) else {"model": there.digest}
                    for role, there in further[name].items()
                }
            shown = name if config.recipe or name in config.compress else self.host.choice_of(step).name
            steps[name] = Step(kind, shown, step, feeds.get(name), Identity("steps", found), beside)
            artifact = {"step": steps[name].key}
        measures = [
            ingredients.measure(name, artifact, reference.key if reference else model.digest)
            for name in config.eval
        ]
        return RunPlan(
            "",
            "",
            verb,
            sweep,
            config,
            model,
            facts,
            data,
            tuple(steps.values()),
            tuple(measures),
            ingredients.device,
            reference,
        )
