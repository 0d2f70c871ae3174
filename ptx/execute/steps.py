"""Run the steps of one run: each is looked up in the store by its key and is run only if it is not there.

:func:`execute` is the core's implementation of the hook ``ptx_run``.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ptx.data import DataSet, Promised
from ptx.errors import PtxError
from ptx.execute.fitting import with_what_fits
from ptx.execute.made import counts_of, fed
from ptx.execute.process import run_in_process
from ptx.execute.untouched import untouched
from ptx.files import append_event, read_rows, write_rows
from ptx.hooks.run import LanguageModel, Run
from ptx.machine import release_memory
from ptx.plan import rates
from ptx.plan.forecast import rate_kind
from ptx.plan.plan import Measure, RunPlan, Step
from ptx.records import DataRef, Evaluation, ModelRef, reference
from ptx.store.store import Entry, Staging, Store


def execute(run: Run) -> dict[str, Any]:
    """Run the steps of ``run.plan`` in order, then evaluate the artifact.

    Returns:
        The content of result.json.
    """
    plan: RunPlan = run.plan
    store = Store(Path(run.config.out).absolute() / "store")
    run = run.at(store=store)
    model, steps = plan.model, []
    made: dict[str, ModelRef | DataRef] = {}
    for step in plan.steps:
        here = run.at(models=_others(step, made))
        result, done = _run_step(here, store, fed(here, step, made, model), model)
        made[step.name] = result
        steps.append(done)
        if isinstance(result, DataRef) or step.config.makes != "model":
            _link(run.record / step.name, result.path)
        else:
            model = result
    _link(run.record / "model", model.path)
    others = {measure.name: _others(measure, made) for measure in plan.evaluations}
    evaluations, metrics = _evaluate_all(run, store, model, others)
    return {
        "steps": steps,
        "model": {
            "path": str(model.path),
            "digest": model.digest,
            "kind": model.kind,
            "bytes": model.bytes,
            "runtime": _runtime(run),
        },
        "evaluations": evaluations,
        "metrics": metrics,
    }


def _others(part: Step | Measure, made: Mapping[str, ModelRef | DataRef]) -> dict[str, ModelRef]:
    """The models that a step or measurement reads beside its own, by role."""
    found = {role: made[one] if isinstance(one, str) else one for role, one in part.models.items()}
    return {role: one for role, one in found.items() if isinstance(one, ModelRef)}


def _link(link: Path, path: Path) -> None:
    """Name what a step has made in the folder of the run: RUN/model, and RUN/STEP beside the line."""
    link.unlink(missing_ok=True)
    link.symlink_to(path.resolve())


def _runtime(run: Run) -> str:
    return run.host.choice_of(run.config.runtime).name


def _named(model: ModelRef) -> str:
    """A model as a line of progress names it: the user's folder, or the step that made it."""
    made = model.path.parent.name == "payload"
    return f"{'the model' if made else model.path} ({model.bytes / 1e6:,.0f} MB)"


def _run_step(
    run: Run, store: Store, step: Step, model: ModelRef
) -> tuple[ModelRef | DataRef, dict[str, Any]]:
    """Return what a step makes of ``model``, and the step's part of result.json.

    The step is run only if the store does not hold its result.
    """
    run.event("step_started", step=step.name, key=step.key)
    build = lambda staging: _build_step(run, step, model, staging)  # noqa: E731 (binds this step's arguments)
    entry, shared = store.fetch(
        step.identity, build, _waiting_message(run, step.name), run.at(label=step.name).say
    )
    before = _shared_before(run, step.key)
    if shared and before is None:  # a run that is resumed has these curves already
        _replay_curves(run, step.name, entry)
    meta = entry.meta
    made = reference(entry.payload / meta["model"], meta["digest"], meta["kind"])
    _report_finished(run, step, meta["seconds"], shared=shared)
    shared = shared if before is None else before
    done = {
        "name": step.name,
        "kind": step.kind,
        "key": step.key,
        "shared": shared,
        "seconds": meta["seconds"],
    }
    products = [product | {"shared": shared or product["shared"]} for product in meta.get("products", [])]
    return made, done | {"bytes": made.bytes, "metrics": meta["metrics"]} | (
        {"products": products} if products else {}
    )


def _shared_before(run: Run, key: str) -> bool | None:
    """Whether an earlier attempt at this run took the result from the store.

    None if no earlier attempt got so far.
    """
    finished = [
        event
        for event in read_rows(run.record / "events.jsonl")
        if event["event"] == "step_finished" and event["key"] == key
    ]
    return bool(finished[0]["shared"]) if finished else None


def _report_finished(run: Run, part: Step | Measure, seconds: float, *, shared: bool) -> None:
    """Record and print that a step or evaluation was run, or that its result was taken from the store."""
    run.event("step_finished", step=part.name, key=part.key, shared=shared, seconds=seconds)
    run.console.say(
        f"{part.name}: from the store ({seconds:.1f} s when it was made)"
        if shared
        else f"{part.name}: {seconds:.1f} s"
    )


def _waiting_message(run: Run, name: str) -> Callable[[str], None]:
    return lambda owner: run.console.say(f"{name}: waiting for {owner}, which is building it")


def _replay_curves(run: Run, label: str, entry: Entry) -> None:
    """Copy the curves of a step from the store to this run's events and trackers."""
    for event in read_rows(entry.payload / "events.jsonl"):
        if event["event"] == "log":
            append_event(
                run.record / "events.jsonl",
                "log",
                label=label,
                **{k: event[k] for k in ("step", "total", "metrics")},
            )
            run.at(label=label).track(event["metrics"], event["step"])


def _run_for(run: Run, label: str, staging: Staging) -> Run:
    return run.at(label=label, folder=staging.payload, events=staging.events, checkpoints=staging.checkpoints)


def _build_step(run: Run, step: Step, model: ModelRef, staging: Staging) -> dict[str, Any]:
    here = _run_for(run, step.name, staging).at(seed=step.identity.ingredients["seed"])
    started, whole = time.perf_counter(), not staging.events.exists()
    run.console.say(f"{step.name}: loading {_named(model)}")
    launch, owner = run.config.launch, run.host.owner_of(step.config).name
    if launch is not None and step.kind in launch.kinds:
        made = run_in_process(here, launch, step, model, run.folder / f"process-{step.name}")
    else:
        assert not isinstance(step.data, Promised)  # it was opened when its maker had run
        with untouched(model.path, owner):
            made = transform(here, step.kind, step.config, model, step.data)
    folder = Path(made.path)
    if not folder.is_relative_to(staging.payload):
        raise PtxError(
            f"plugin {owner}: {step.name} returned {folder}, outside of run.folder {staging.payload}; a step"
            " writes below run.folder"
        )
    last: dict[str, float] = {}
    products: dict[str, dict[str, Any]] = {}  # by key: a step that was resumed has asked for them twice
    for event in read_rows(staging.events):
        last |= event["metrics"] if event["event"] == "log" else {}
        if event["event"] == "product":
            products.setdefault(event["key"], {name: event[name] for name in ("name", "key", "shared")})
    if isinstance(made, DataRef):
        last = counts_of(step, made, last)
    seconds = round(time.perf_counter() - started, 3)
    if whole:  # of a step that was resumed only the end was timed
        _note_rate(run, step, seconds)
    relative = str(folder.relative_to(staging.payload))
    made_of = {"model": relative, "digest": made.digest or ModelRef.of(folder).digest, "kind": made.kind}
    return (
        made_of
        | {"seconds": seconds, "metrics": last}
        | ({"products": list(products.values())} if products else {})
    )


def transform(run: Run, kind: str, config: Any, model: ModelRef, data: DataSet | None) -> ModelRef | DataRef:
    """Run one step through the hook of its ``kind`` (train, compress, make or export)."""
    if kind == "make":
        data_made: DataRef = run.host.first("ptx_make", run=run, maker=config, model=model, data=data)
        release_memory()
        return data_made

    def start(fitted: Any) -> ModelRef:
        made: ModelRef
        if kind == "train":
            made = run.host.first("ptx_train", run=run, method=fitted, model=model, data=data)
        elif kind == "compress":
            made = run.host.first("ptx_compress", run=run, compressor=fitted, model=model, data=data)
        else:
            made = run.host.first("ptx_export", run=run, runtime=fitted, model=model)
        return made

    made = with_what_fits(run, config, model, data, start)
    release_memory()
    return made


def _evaluate_all(
    run: Run, store: Store, model: ModelRef, others: Mapping[str, Mapping[str, ModelRef]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run every evaluator on the artifact; returns the evaluations and the metrics of result.json.

    The artifact is loaded at most once, and not at all if the store holds every evaluation; so is a model
    that several of them compare with. ``others`` are the further models by measurement.
    """
    plan: RunPlan = run.plan
    lent: dict[str, LanguageModel] = {}
    own = model.digest or str(model.path)
    run = run.at(models={role: one for roles in others.values() for role, one in roles.items()}, lent=lent)

    def language_model() -> LanguageModel:
        if own not in lent:
            run.console.say(f"{_runtime(run)}: loading {_named(model)}")
        with run.lend(model) as lm:
            return run.decoding(lm)

    evaluations, metrics = [], []
    try:
        for measure in plan.evaluations:
            run.event("step_started", step=measure.name, key=measure.key)
            if not measure.config.opens_model:  # it opens its own, and needs the memory
                _take_back(run, lent, [key for key in lent if key != own])
            here = run.at(models=others[measure.name])
            build = partial(_build_evaluation, here, measure, model, language_model)
            entry, shared = store.fetch(
                measure.identity, build, _waiting_message(run, measure.name), run.at(label=measure.name).say
            )
            rows = run.record / "evaluations" / f"{measure.name}.jsonl"
            rows.parent.mkdir(exist_ok=True)
            shutil.copyfile(entry.payload / "rows.jsonl", rows)
            metrics += [metric | {"evaluator": measure.name} for metric in entry.meta["metrics"]]
            seconds = entry.meta["seconds"]
            before = _shared_before(run, measure.key)
            _report_finished(run, measure, seconds, shared=shared)
            shared = shared if before is None else before
            evaluations.append(
                {
                    "name": measure.name,
                    "key": measure.key,
                    "shared": shared,
                    "seconds": seconds,
                    "rows": f"evaluations/{rows.name}",
                }
            )
    finally:
        _take_back(run, lent, list(lent))
    return evaluations, metrics


def _take_back(run: Run, lent: dict[str, LanguageModel], keys: list[str]) -> None:
    """Close models that evaluations have shared; the record says what batches they came to."""
    for key in keys:
        lm = lent.pop(key)
        if batches := getattr(lm, "batches", None):
            run.event("batches", model=key, **batches.settled())
        lm.close()


def _reference_model(run: Run) -> ModelRef:
    """Return the model that the recipe started from, exported for this run's runtime if that needs it."""
    plan: RunPlan = run.plan
    if plan.reference is None:
        return plan.model
    exported, _ = _run_step(run, run.store, plan.reference, plan.model)
    assert isinstance(exported, ModelRef)
    return exported


def _build_evaluation(
    run: Run, measure: Measure, model: ModelRef, lm: Callable[[], LanguageModel], staging: Staging
) -> dict[str, Any]:
    here = _run_for(run, measure.name, staging)
    started = time.perf_counter()
    opened = lm() if measure.config.opens_model else None
    baseline = _reference_model(run) if measure.config.compares else run.plan.model
    with untouched(model.path, run.host.owner_of(measure.config).name):
        result: Evaluation = run.host.first(
            "ptx_evaluate",
            run=here,
            evaluator=measure.config,
            model=model,
            lm=opened,
            baseline=baseline,
        )
    write_rows(staging.payload / "rows.jsonl", result.rows)
    seconds = round(time.perf_counter() - started, 3)
    _note_rate(run, measure, seconds)
    return {"metrics": [dataclasses.asdict(metric) for metric in result.metrics], "seconds": seconds}


def _note_rate(run: Run, part: Step | Measure, seconds: float) -> None:
    """Remember how long a step or evaluation took, for the forecasts of later plans."""
    if isinstance(run.plan, RunPlan):
        rates.record(rate_kind(run.host, run.plan, part), part.name, seconds)
