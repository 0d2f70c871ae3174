"""Execute a plan: freeze the record of every run, execute the runs, count their steps.

A run is executed by :func:`run_one`, in this process or in a worker (:mod:`ptx.execute.pool`). An error that
it raises is written into its own record, and the other runs continue.
"""

from __future__ import annotations

import shutil
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ptx import machine
from ptx.errors import StoppedError
from ptx.execute.ahead import read_ahead
from ptx.files import append_event, digest_of, read_json, write_json
from ptx.guard.system import cause_of
from ptx.hooks.border import described
from ptx.hooks.host import Host
from ptx.hooks.run import Console, Run
from ptx.plan.plan import Measure, RunPlan, Step, SweepPlan
from ptx.plan.serialize import plain
from ptx.records import SCHEMA
from ptx.store.locks import held

DONE, FAILED, INTERRUPTED, STOPPED = "done", "failed", "interrupted", "stopped"
PREPARED = "prepared"  # everything except its timings is in the store; no result is written yet


@dataclass(frozen=True)
class Outcome:
    """How the runs of a sweep have ended."""

    done: int
    kept: int  # finished by an earlier command
    failed: tuple[tuple[str, str], ...]  # run id, message
    interrupted: bool = False
    waiting: int = 0  # submitted to a cluster, not ended yet
    left: tuple[tuple[str, str], ...] = ()  # failed in an earlier command, not tried again


@dataclass(frozen=True)
class Todo:
    """Which runs of a sweep are still to be executed."""

    pending: list[RunPlan]
    kept: int  # done already
    left: tuple[tuple[str, str], ...]  # failed, not to be tried again: run id, message


def run_sweep(
    plan: SweepPlan, host: Host, console: Console, *, fail_fast: bool = False, retry_failed: bool = True
) -> Outcome:
    """Execute every run that has no finished record, one after the other in this process."""
    todo = freeze(plan, host, console, retry_failed=retry_failed)
    failed: list[tuple[str, str]] = []
    done = 0
    for run, following in zip(todo.pending, [*todo.pending, None][1:], strict=True):
        if following is not None:
            read_ahead(following.model.path)
        console.say(f"[{plan.runs.index(run) + 1}/{len(plan.runs)}] {run.label}")
        result = run_one(run, plan.folder / run.id, host, console)
        if result["status"] == INTERRUPTED:
            return Outcome(done, todo.kept, tuple(failed), interrupted=True, left=todo.left)
        if result["status"] == DONE:
            done += 1
            continue
        failed.append((run.id, result["error"]["message"]))
        console.say(f"failed: {result['error']['type']}: {result['error']['message']}")
        if fail_fast:
            break
    return Outcome(done, todo.kept, tuple(failed), left=todo.left)


@contextmanager
def sweep_lock(plan: SweepPlan, console: Console) -> Iterator[None]:
    """Hold the lock of the sweep: only one command at a time executes it.

    The same command in another process waits, and then finds nothing to do.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    waiting = lambda owner: console.say(f"waiting for {owner}, which is running this sweep")  # noqa: E731
    with held(plan.folder / "sweep.lock", waiting):
        yield


def freeze(plan: SweepPlan, host: Host, console: Console | None = None, *, retry_failed: bool = True) -> Todo:
    """Write sweep.json, and run.json of every run that is to be executed, before the first step."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    write_json(plan.folder / "sweep.json", sweep_record(plan))
    statuses = {run.id: status_of(plan.folder / run.id) for run in plan.runs}
    over = {DONE} if retry_failed else {DONE, FAILED}
    pending = in_order([run for run in plan.runs if statuses[run.id] not in over])
    for run in pending:
        damage = damage_of(plan.folder / run.id)
        freeze_run(plan, run, host)
        if damage:
            append_event(plan.folder / run.id / "events.jsonl", "message", text=damage)
            if console is not None:
                console.say(f"{run.id}: {damage}")
    failed = [run.id for run in plan.runs if statuses[run.id] == FAILED and not retry_failed]
    kept = sum(status == DONE for status in statuses.values())
    return Todo(pending, kept, tuple((name, error_message(plan.folder / name)) for name in failed))


def in_order(runs: Sequence[RunPlan]) -> list[RunPlan]:
    """The runs as they are executed: each baseline after the first run that trains or compresses.

    So nobody waits for measurements of the original model before the first training step.
    """
    first = next((number for number, run in enumerate(runs) if not run.baseline), len(runs))
    return [*runs[first : first + 1], *runs[:first], *runs[first + 1 :]]


def freeze_run(plan: SweepPlan, run: RunPlan, host: Host) -> None:
    """Start the record of a run anew: write run.json and delete result.json."""
    folder = plan.folder / run.id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").unlink(missing_ok=True)
    write_json(folder / "run.json", _run_record(plan, run, host))


def write_step_counts(plan: SweepPlan, idle: float | None = None) -> dict[str, int]:
    """Count the steps and evaluations of all finished runs, and write the counts into sweep.json.

    The counts are those of :func:`step_counts`; ``idle`` is the workers' share of time without a run.
    """
    books = step_counts(plan.folder, [run.id for run in plan.runs])
    workers = {} if idle is None else {"workers": {"idle_share": round(idle, 4)}}
    write_json(plan.folder / "sweep.json", sweep_record(plan) | {"books": books} | workers)
    return books


def step_counts(folder: Path, ids: Sequence[str]) -> dict[str, int]:
    """Count the steps and evaluations of the finished ones among some runs of a sweep's folder.

    For each kind: ``_asked`` counts all that the runs needed, ``_ran`` those that the sweep ran, ``_shared``
    those whose result was in the store.
    """
    results = [read_json(folder / name / "result.json") for name in ids if status_of(folder / name) == DONE]
    books: dict[str, int] = {}
    for kind in ("steps", "evaluations"):
        parts = [part for result in results for part in result[kind]]
        ran = len({part["key"] for part in parts if not part["shared"]})
        books |= {f"{kind}_asked": len(parts), f"{kind}_ran": ran, f"{kind}_shared": len(parts) - ran}
    return books


def status_of(folder: Path) -> str:
    """Return the status in result.json; "unfinished" if there is no result or the record is damaged."""
    return (
        "unfinished"
        if damage_of(folder) or not (folder / "result.json").exists()
        else str(read_json(folder / "result.json")["status"])
    )


def error_message(folder: Path) -> str:
    """Return the error message in result.json; empty if the run did not fail."""
    return str((read_json(folder / "result.json")["error"] or {}).get("message", ""))


def damage_of(folder: Path) -> str:
    """Return what is damaged in the record of a run that has ended; empty for any other run."""
    if not (folder / "result.json").exists():
        return ""
    for name, field in (("run.json", "id"), ("result.json", "status")):
        try:
            read_json(folder / name)[field]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"{name} is damaged ({error}); the run is executed again, with what the store holds of it"
    return ""


def run_one(run: RunPlan, folder: Path, host: Host, console: Console) -> dict[str, Any]:
    """Execute one run and write its result.json, also if the run fails."""
    started, clock = time.time(), time.perf_counter()
    result = attempt(run, folder, host, console)
    return write_result(folder, result, started, time.perf_counter() - clock)


def attempt(run: RunPlan, folder: Path, host: Host, console: Console) -> dict[str, Any]:
    """Execute one run; returns the content of its result.json, also if the run fails or is interrupted."""
    journal, scratch = folder / "events.jsonl", folder / "scratch"
    context = Run(
        run.config,
        host,
        console,
        scratch,
        journal,
        scratch,
        run.config.seed,
        run.device,
        run.label,
        run,
        folder,
    )
    result: dict[str, Any] = {"status": DONE, "error": None}
    try:
        append_event(journal, "run_started", run=run.id)
        result |= host.first("ptx_run", run=context)
    except KeyboardInterrupt:
        result |= {
            "status": INTERRUPTED,
            "error": {"type": "KeyboardInterrupt", "message": "interrupted", "traceback": ""},
        }
    except StoppedError as error:
        result |= {"status": STOPPED, "error": error_record(error)}
    except Exception as error:  # noqa: BLE001 (whatever a step raises is recorded, and the sweep continues)
        result |= {"status": FAILED, "error": error_record(error)}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return result


def error_record(error: Exception) -> dict[str, str]:
    """Return an error as it stands in result.json; one of the system gets its cause and a remedy."""
    cause = cause_of(error)
    message = "; ".join(cause) if cause else described(error)
    return {
        "type": type(error).__name__,
        "message": message,
        "traceback": "".join(traceback.format_exception(error)),
    }


def write_result(
    folder: Path, result: dict[str, Any], started: float, seconds: float | None = None
) -> dict[str, Any]:
    """Write result.json, the last file of a run.

    ``seconds`` are those of a clock that nobody sets; where the run began in a process that is gone, they are
    the time since ``started``.
    """
    ended = time.time()
    seconds = max(ended - started, 0.0) if seconds is None else seconds
    result |= {
        "schema": SCHEMA,
        "started": _iso(started),
        "finished": _iso(ended),
        "seconds": round(seconds, 3),
    }
    try:
        append_event(folder / "events.jsonl", "run_finished", status=result["status"])
        write_json(folder / "result.json", result)
    except OSError as error:  # without result.json the run counts as unfinished: the same command repeats it
        record = error_record(error)
        message = f"{folder / 'result.json'} cannot be written: {record['message']}"
        result |= {"status": FAILED, "error": record | {"message": message}}
    return result


def sweep_record(plan: SweepPlan) -> dict[str, Any]:
    """Return the content of sweep.json."""
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
    libraries = {
        library for config in used if config is not None for library in host.choice_of(config).libraries
    }
    facts = run.facts
    model = {"name": host.name_of(run.config.model), "path": str(run.model.path), "digest": run.model.digest}
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
        "model": model | {"parameters": facts.parameters, "bytes": facts.bytes, "dtype": facts.dtype},
        "data": (
            {
                "name": run.data.name,
                "digest": digest_of([_given(step) for step in run.steps]),
            }
            if run.data
            else None
        ),
        "seed": run.config.seed,
        "device": run.device,
        "host": machine.facts(),
        "versions": machine.versions({"ptx", "torch", *libraries}) | {"python": sys.version.split()[0]},
        "steps": [_part(step, host) | {"kind": step.kind} for step in run.steps],
        "evaluations": [_part(measure, host) for measure in run.evaluations],
    }


def _given(step: Step) -> Any:
    """The data of a step as the user gave it; what an earlier step makes is another one under every seed."""
    data = step.identity.ingredients.get("data")
    return data["shape"] if isinstance(data, dict) and "step" in data else data


def _part(part: Step | Measure, host: Host) -> dict[str, Any]:
    return {
        "name": part.name,
        "key": part.key,
        "config": plain(part.config, host),
        "ingredients": part.identity.ingredients,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
