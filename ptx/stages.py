"""Taking the steps: each is looked up in the store by its key and made only if it is not there.

:func:`run_sweep` goes through a plan run by run and writes the records; :func:`execute` is what one run does, the core's
answer to the hook ``ptx_run``.
"""

from __future__ import annotations

import dataclasses
import errno
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ptx import machine
from ptx.errors import PtxError, StepError
from ptx.host import Host
from ptx.plan import Measure, RunPlan, Step, SweepPlan
from ptx.records import SCHEMA, Evaluation, ModelRef, append_event, digest_of, read_json, read_rows, write_json, write_rows
from ptx.run import Console, LanguageModel, Run
from ptx.store import Entry, Staging, Store


@dataclass(frozen=True)
class Outcome:
    """What became of a sweep."""

    done: int
    kept: int  # finished by an earlier command
    failed: tuple[tuple[str, str], ...]  # run id, message
    interrupted: bool = False


def run_sweep(plan: SweepPlan, host: Host, console: Console, *, fail_fast: bool = False) -> Outcome:
    """Execute every run that has no finished record; a run that fails is recorded and the others go on."""
    (plan.folder).mkdir(parents=True, exist_ok=True)
    write_json(plan.folder / "sweep.json", _sweep_record(plan))
    done, kept = 0, 0
    failed: list[tuple[str, str]] = []
    for position, run in enumerate(plan.runs):
        folder = plan.folder / run.id
        if _status(folder) == "done":
            kept += 1
            continue
        console.say(f"[{position + 1}/{len(plan.runs)}] {run.label}")
        result = _record_run(plan, run, host, console)
        if result["status"] == "done":
            done += 1
        elif result["status"] == "interrupted":
            return Outcome(done, kept, tuple(failed), interrupted=True)
        else:
            failed.append((run.id, result["error"]["message"]))
            console.say(f"failed: {result['error']['type']}: {result['error']['message']}")
            if fail_fast:
                break
    return Outcome(done, kept, tuple(failed))


def _status(folder: Path) -> str:
    try:
        return str(read_json(folder / "result.json")["status"])
    except (OSError, ValueError, KeyError):
        return "unfinished"


def _record_run(plan: SweepPlan, run: RunPlan, host: Host, console: Console) -> dict[str, Any]:
    """Execute one run and write its record: run.json first, result.json last, whatever happens between."""
    folder = plan.folder / run.id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").unlink(missing_ok=True)
    write_json(folder / "run.json", _run_record(plan, run, host))
    append_event(folder / "events.jsonl", "run_started", run=run.id)
    journal, scratch = folder / "events.jsonl", folder / "scratch"
    context = Run(run.config, host, console, scratch, journal, scratch, run.config.seed, run.device, run.label, run, folder)
    started = time.time()
    result: dict[str, Any] = {"status": "done", "error": None}
    try:
        result |= host.first("ptx_run", run=context)
    except KeyboardInterrupt:
        result |= {"status": "interrupted", "error": {"type": "KeyboardInterrupt", "message": "interrupted", "traceback": ""}}
    except Exception as error:  # noqa: BLE001 (whatever a step raises is recorded, and the sweep goes on)
        known = _explained(error)
        result |= {"status": "failed", "error": {"type": type(error).__name__, "message": str(known), "traceback": traceback.format_exc()}}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    result |= {"schema": SCHEMA, "started": _iso(started), "finished": _iso(time.time()), "seconds": round(time.time() - started, 3)}
    append_event(folder / "events.jsonl", "run_finished", run=run.id, status=result["status"])
    write_json(folder / "result.json", result)
    return result


def _explained(error: Exception) -> Exception:
    """A full disk is said as such; everything else speaks for itself."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return StepError(f"no space left on the disk ({error.filename or 'while writing'}); free some room or use out=/another/disk")
    return error


def execute(run: Run) -> dict[str, Any]:
    """Take the steps of ``run.plan`` in order, then measure the artifact; returns the content of result.json."""
    plan: RunPlan = run.plan
    store = Store(Path(run.config.out).absolute() / "store")
    model, steps = plan.model, []
    for step in plan.steps:
        model, done = _take(run, store, step, model)
        steps.append(done)
    link = run.record / "model"
    link.unlink(missing_ok=True)
    link.symlink_to(model.path.resolve())
    evaluations, metrics = _measure_all(run, store, plan, model)
    return {
        "steps": steps,
        "model": {"path": str(model.path), "digest": model.digest, "kind": model.kind, "bytes": model.bytes, "runtime": _runtime(run)},
        "evaluations": evaluations,
        "metrics": metrics,
    }


def _runtime(run: Run) -> str:
    return run.host.choice_of(run.config.runtime).name


def _take(run: Run, store: Store, step: Step, model: ModelRef) -> tuple[ModelRef, dict[str, Any]]:
    """The model that a step makes of ``model``, from the store if it is there."""
    run.event("step_started", step=step.name, key=step.key)
    build = lambda staging: _build_step(run, step, model, staging)  # noqa: E731 (binds this step's arguments)
    entry, shared = store.fetch(step.identity, build, _waiting(run, step.name))
    if shared:
        _replay(run, step.name, entry)
    meta = entry.meta
    made = ModelRef(entry.payload / meta["model"], meta["digest"], meta["kind"])
    run.event("step_finished", step=step.name, key=step.key, shared=shared, seconds=meta["seconds"])
    run.console.say(f"{step.name}: {'shared' if shared else 'done'} in {meta['seconds']:.1f} s" + (" (earlier)" if shared else ""))
    done = {"name": step.name, "kind": step.kind, "key": step.key, "shared": shared, "seconds": meta["seconds"]}
    return made, done | {"bytes": made.bytes, "metrics": meta["metrics"]}


def _waiting(run: Run, name: str) -> Callable[[str], None]:
    return lambda owner: run.console.say(f"{name}: waiting for {owner}, which is at it")


def _replay(run: Run, label: str, entry: Entry) -> None:
    """Give a shared step's curves to this run's record and trackers."""
    for event in read_rows(entry.payload / "events.jsonl"):
        if event["event"] == "log":
            append_event(run.record / "events.jsonl", "log", label=label, **{k: event[k] for k in ("step", "total", "metrics")})
            run.at(label=label).track(event["metrics"], event["step"])


def _at(run: Run, label: str, staging: Staging) -> Run:
    return run.at(label=label, folder=staging.payload, events=staging.events, checkpoints=staging.checkpoints)


def _build_step(run: Run, step: Step, model: ModelRef, staging: Staging) -> dict[str, Any]:
    here = _at(run, step.name, staging)
    started = time.perf_counter()
    if step.kind == "train":
        made = run.host.first("ptx_train", run=here, method=step.config, model=model, data=step.data)
    elif step.kind == "compress":
        made = run.host.first("ptx_compress", run=here, compressor=step.config, model=model, data=step.data)
    else:
        made = run.host.first("ptx_export", run=here, runtime=step.config, model=model)
    folder = Path(made.path)
    if not folder.is_relative_to(staging.payload):
        raise PtxError(f"{step.name} returned {folder}, outside of run.folder {staging.payload}; a step writes below run.folder")
    last: dict[str, float] = {}
    for event in read_rows(staging.events):
        last |= event["metrics"] if event["event"] == "log" else {}
    seconds = round(time.perf_counter() - started, 3)
    relative = str(folder.relative_to(staging.payload))
    return {"model": relative, "digest": made.digest or ModelRef.of(folder).digest, "kind": made.kind, "seconds": seconds, "metrics": last}


def _measure_all(run: Run, store: Store, plan: RunPlan, model: ModelRef) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every evaluator on the artifact, which is opened at most once, and not at all when all measurements are in the store."""
    opened: list[LanguageModel] = []

    def language_model() -> LanguageModel:
        if not opened:
            opened.append(run.load(model))
        return opened[0]

    evaluations, metrics = [], []
    try:
        for measure in plan.evaluations:
            build = lambda staging, measure=measure: _build_evaluation(run, measure, model, language_model, staging)  # noqa: E731
            entry, shared = store.fetch(measure.identity, build, _waiting(run, measure.name))
            rows = run.record / "evaluations" / f"{measure.name}.jsonl"
            rows.parent.mkdir(exist_ok=True)
            shutil.copyfile(entry.payload / "rows.jsonl", rows)
            metrics += [metric | {"evaluator": measure.name} for metric in entry.meta["metrics"]]
            seconds = entry.meta["seconds"]
            evaluations.append(
                {"name": measure.name, "key": measure.key, "shared": shared, "seconds": seconds, "rows": f"evaluations/{rows.name}"}
            )
            run.console.say(f"{measure.name}: {'shared' if shared else 'done'} in {seconds:.1f} s" + (" (earlier)" if shared else ""))
    finally:
        for lm in opened:
            lm.close()
    return evaluations, metrics


def _build_evaluation(run: Run, measure: Measure, model: ModelRef, lm: Callable[[], LanguageModel], staging: Staging) -> dict[str, Any]:
    here = _at(run, measure.name, staging)
    started = time.perf_counter()
    result: Evaluation = run.host.first(
        "ptx_evaluate",
        run=here,
        evaluator=measure.config,
        model=model,
        lm=lm() if measure.config.opens_model else None,
        baseline=run.plan.model,
    )
    write_rows(staging.payload / "rows.jsonl", result.rows)
    return {"metrics": [dataclasses.asdict(metric) for metric in result.metrics], "seconds": round(time.perf_counter() - started, 3)}


def _sweep_record(plan: SweepPlan) -> dict[str, Any]:
    asked = [step.key for run in plan.runs for step in run.steps]
    return {
        "schema": SCHEMA,
        "name": plan.name,
        "verb": plan.verb,
        "command": plan.command,
        "created": _iso(time.time()),
        "axes": plan.axes,
        "runs": [run.id for run in plan.runs],
        "steps": {"asked": len(asked), "distinct": len(set(asked))},
        "notes": list(plan.notes),
    }


def _run_record(plan: SweepPlan, run: RunPlan, host: Host) -> dict[str, Any]:
    used = [run.config.model, run.config.data, run.config.runtime, *(step.config for step in run.steps)]
    used += [measure.config for measure in run.evaluations]
    libraries = {library for config in used if config is not None for library in host.choice_of(config).libraries}
    facts = run.facts
    return {
        "schema": SCHEMA,
        "id": run.id,
        "label": run.label,
        "verb": run.verb,
        "sweep": plan.name,
        "created": _iso(time.time()),
        "command": plan.command,
        "overrides": list(run.overrides),
        "varied": run.varied,
        "baseline": run.baseline,
        "config": plain(run.config, host),
        "model": {
            "name": host.name_of(run.config.model), "path": str(run.model.path), "digest": run.model.digest,
            "parameters": facts.parameters, "bytes": facts.bytes, "dtype": facts.dtype,
        },
        "data": {"name": run.data.name, "digest": digest_of([s.identity.ingredients.get("data") for s in run.steps])} if run.data else None,
        "seed": run.config.seed,
        "device": run.device,
        "host": machine.facts(),
        "versions": machine.versions({"ptx", "torch", *libraries}) | {"python": sys.version.split()[0]},
        "steps": [{"name": s.name, "kind": s.kind, "key": s.key, "config": plain(s.config, host)} for s in run.steps],
        "evaluations": [{"name": m.name, "key": m.key, "config": plain(m.config, host)} for m in run.evaluations],
    }  # fmt: skip


def plain(value: Any, host: Host) -> Any:
    """A configuration as JSON-able data; a choice's own fields come with its name under ``choice``."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: plain(getattr(value, field.name), host) for field in dataclasses.fields(value)}
        named = {choice.config_type: choice.name for choice in host.choices.values()}
        return ({"choice": named[type(value)]} if type(value) in named else {}) | fields
    if isinstance(value, dict):
        return {key: plain(item, host) for key, item in value.items()}
    return value


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
