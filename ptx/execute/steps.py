"""Taking the steps of one run: each is looked up in the store by its key and made only if it is not there.

:func:`execute` is the core's answer to the hook ``ptx_run``.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ptx.data import DataSet
from ptx.errors import PtxError
from ptx.execute.process import take_apart
from ptx.files import append_event, read_rows, write_rows
from ptx.hooks.run import LanguageModel, Run
from ptx.machine import release_memory
from ptx.plan.plan import Measure, RunPlan, Step
from ptx.records import Evaluation, ModelRef
from ptx.store.store import Entry, Staging, Store


def execute(run: Run) -> dict[str, Any]:
    """Take the steps of ``run.plan`` in order, then measure the artifact; returns the content of
    result.json.
    """
    plan: RunPlan = run.plan
    store = Store(Path(run.config.out).absolute() / "store")
    run = run.at(store=store)
    model, steps = plan.model, []
    made: dict[str, ModelRef] = {}
    for step in plan.steps:
        further = {
            name: there if isinstance(there, ModelRef) else made[there] for name, there in step.models.items()
        }
        model, done = _take(run.at(models=further), store, step, model)
        made[step.name] = model
        steps.append(done)
    link = run.record / "model"
    link.unlink(missing_ok=True)
    link.symlink_to(model.path.resolve())
    evaluations, metrics = _measure_all(run, store, plan, model)
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


def _runtime(run: Run) -> str:
    return run.host.choice_of(run.config.runtime).name


def _take(run: Run, store: Store, step: Step, model: ModelRef) -> tuple[ModelRef, dict[str, Any]]:
    """The model that a step makes of ``model``, from the store if it is there."""
    run.event("step_started", step=step.name, key=step.key)
    build = lambda staging: _build_step(run, step, model, staging)  # noqa: E731 (binds this step's arguments)
    entry, shared = store.fetch(step.identity, build, _waiting(run, step.name), run.at(label=step.name).say)
    before = _finished_before(run, step.key)
    if shared and before is None:
        _replay(run, step.name, entry)
    meta = entry.meta
    made = ModelRef(entry.payload / meta["model"], meta["digest"], meta["kind"])
    _note(run, step, meta["seconds"], shared=shared)
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


def _finished_before(run: Run, key: str) -> bool | None:
    """Whether this run, when it was begun earlier, took the result from the store; None when it had not come
    that far.
    """
    finished = [
        event
        for event in read_rows(run.record / "events.jsonl")
        if event["event"] == "step_finished" and event["key"] == key
    ]
    return bool(finished[0]["shared"]) if finished else None


def _note(run: Run, part: Step | Measure, seconds: float, *, shared: bool) -> None:
    """Tell the journal and the user what has just happened: a step or evaluation was made, or taken from the
    store.
    """
    run.event("step_finished", step=part.name, key=part.key, shared=shared, seconds=seconds)
    run.console.say(
        f"{part.name}: from the store ({seconds:.1f} s when it was made)"
        if shared
        else f"{part.name}: {seconds:.1f} s"
    )


def _waiting(run: Run, name: str) -> Callable[[str], None]:
    return lambda owner: run.console.say(f"{name}: waiting for {owner}, which is at it")


def _replay(run: Run, label: str, entry: Entry) -> None:
    """Give a shared step's curves to this run's record and trackers."""
    for event in read_rows(entry.payload / "events.jsonl"):
        if event["event"] == "log":
            append_event(
                run.record / "events.jsonl",
                "log",
                label=label,
                **{k: event[k] for k in ("step", "total", "metrics")},
            )
            run.at(label=label).track(event["metrics"], event["step"])


def _at(run: Run, label: str, staging: Staging) -> Run:
    return run.at(label=label, folder=staging.payload, events=staging.events, checkpoints=staging.checkpoints)


def _build_step(run: Run, step: Step, model: ModelRef, staging: Staging) -> dict[str, Any]:
    here = _at(run, step.name, staging)
    started = time.perf_counter()
    launch = run.config.launch
    if launch is not None and step.kind in launch.kinds:
        made = take_apart(here, launch, step, model, run.folder / f"apart-{step.name}")
    else:
        made = transform(here, step.kind, step.config, model, step.data)
    folder = Path(made.path)
    if not folder.is_relative_to(staging.payload):
        raise PtxError(
            f"{step.name} returned {folder}, outside of run.folder {staging.payload}; a step writes below"
            " run.folder"
        )
    last: dict[str, float] = {}
    products: dict[str, dict[str, Any]] = {}  # by key: a step that was resumed has asked twice
    for event in read_rows(staging.events):
        last |= event["metrics"] if event["event"] == "log" else {}
        if event["event"] == "product":
            products.setdefault(event["key"], {name: event[name] for name in ("name", "key", "shared")})
    seconds = round(time.perf_counter() - started, 3)
    relative = str(folder.relative_to(staging.payload))
    made_of = {"model": relative, "digest": made.digest or ModelRef.of(folder).digest, "kind": made.kind}
    return (
        made_of
        | {"seconds": seconds, "metrics": last}
        | ({"products": list(products.values())} if products else {})
    )


def transform(run: Run, kind: str, config: Any, model: ModelRef, data: DataSet | None) -> ModelRef:
    """Ask the plugins for one step."""
    if kind == "train":
        made = run.host.first("ptx_train", run=run, method=config, model=model, data=data)
    elif kind == "compress":
        made = run.host.first("ptx_compress", run=run, compressor=config, model=model, data=data)
    else:
        made = run.host.first("ptx_export", run=run, runtime=config, model=model)
    release_memory()
    taken: ModelRef = made
    return taken


def _measure_all(
    run: Run, store: Store, plan: RunPlan, model: ModelRef
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every evaluator on the artifact, which is opened at most once, and not at all when all measurements are
    in the store.
    """
    opened: list[LanguageModel] = []

    def language_model() -> LanguageModel:
        if not opened:
            opened.append(run.decoding(run.load(model)))
        return opened[0]

    evaluations, metrics = [], []
    try:
        for measure in plan.evaluations:
            run.event("step_started", step=measure.name, key=measure.key)
            build = partial(_build_evaluation, run, measure, model, language_model)
            entry, shared = store.fetch(
                measure.identity, build, _waiting(run, measure.name), run.at(label=measure.name).say
            )
            rows = run.record / "evaluations" / f"{measure.name}.jsonl"
            rows.parent.mkdir(exist_ok=True)
            shutil.copyfile(entry.payload / "rows.jsonl", rows)
            metrics += [metric | {"evaluator": measure.name} for metric in entry.meta["metrics"]]
            seconds = entry.meta["seconds"]
            before = _finished_before(run, measure.key)
            _note(run, measure, seconds, shared=shared)
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
        for lm in opened:
            lm.close()
    return evaluations, metrics


def _reference(run: Run) -> ModelRef:
    """The model that the recipe started from, as this run's runtime opens it."""
    plan: RunPlan = run.plan
    return plan.model if plan.reference is None else _take(run, run.store, plan.reference, plan.model)[0]


def _build_evaluation(
    run: Run, measure: Measure, model: ModelRef, lm: Callable[[], LanguageModel], staging: Staging
) -> dict[str, Any]:
    here = _at(run, measure.name, staging)
    started = time.perf_counter()
    result: Evaluation = run.host.first(
        "ptx_evaluate",
        run=here,
        evaluator=measure.config,
        model=model,
        lm=lm() if measure.config.opens_model else None,
        baseline=_reference(run) if measure.config.compares else run.plan.model,
    )
    write_rows(staging.payload / "rows.jsonl", result.rows)
    return {
        "metrics": [dataclasses.asdict(metric) for metric in result.metrics],
        "seconds": round(time.perf_counter() - started, 3),
    }
