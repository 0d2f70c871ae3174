"""A step in a process of its own: the parent's side.

The parent has composed and frozen everything; the child (:mod:`ptx.execute.child`) is given one JSON file
that names the frozen run, the step and the folders, and knows no Hydra. What it reports comes back line by
line through a file, not a pipe, because launchers (torchrun, accelerate) pass no descriptors on; the parent
repeats it as if the step ran here, so that the record, the terminal, the trackers and early stopping are the
same. The standard input of every rank is a pipe that only the parent holds open: when it closes, by intent or
because the parent was killed, they all end.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ptx.config import Launch, identity_of
from ptx.config.environment import Outside
from ptx.data import DataSet
from ptx.errors import StepError
from ptx.files import read_json, write_json, write_rows
from ptx.hooks.run import Run
from ptx.models.package import FILE as PACKAGE
from ptx.models.package import write_package
from ptx.plan.plan import Step
from ptx.records import ModelRef

GRACE = 30.0  # seconds for all ranks to end
POLL = 0.1
#: how torchrun and accelerate name the ends of ranks, the one that failed first last
EXIT_CODE = re.compile(r"exitcode\s*:\s*(-?\d+)")


class ChildError(Exception):
    """What a child raised, as its traceback; the cause of the StepError that the run ends with."""


def take_apart(run: Run, launch: Launch, step: Step, model: ModelRef, work: Path) -> ModelRef:
    """Have ``step`` taken by a child, or by the ranks that ``launch`` starts; ``work`` is a folder for what
    passes between.
    """
    work = work.absolute()
    work.mkdir(parents=True)
    spec = {
        "record": str(run.record.absolute()),
        "step": step.name,
        "kind": step.kind,
        "model": _plain(model),
        "models": {name: _plain(further) for name, further in run.models.items()},
        "folder": str(run.folder.absolute()),
        "checkpoints": str(run.checkpoints.absolute()),
        "device": run.device,
        "work": str(work),
    }
    write_json(work / "spec.json", spec)
    log = run.record / f"{step.name}.log"
    command = launch.command(["ptx.execute.child", str(work / "spec.json")])
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env=environment(launch.ranks),
            start_new_session=True,
        )
    try:
        for message in _messages(work / "messages.jsonl", process):
            relay(run, message)
    finally:
        _end(process)
    return _outcome(work, process.returncode, log)


def _plain(model: ModelRef) -> dict[str, str]:
    return {"path": str(model.path.absolute()), "digest": model.digest, "kind": model.kind}


def take_outside(
    run: Run, outside: Outside, kind: str, config: Any, model: ModelRef, data: DataSet | None
) -> ModelRef:
    """Have a step taken by a script in another environment.

    SPEC.json holds ``kind``, ``config`` (the settings), ``model`` (a folder to read), ``folder`` (an empty
    one, to write the model into), ``data`` (a file of JSON lines in the shape that the step needs, or null),
    ``seed``, ``device`` and ``messages``: a file to which the script may append lines, ``{"say": text}`` or
    ``{"log": [{name: number}, step, total]}``. What it prints is in STEP.log; its exit code is 0 when the
    model is written.

    Of an export comes a package: what the script left in ``package.json`` is kept beside what ptx knows of
    it.
    """
    work, folder = run.folder.absolute() / "outside", run.folder.absolute() / "model"
    work.mkdir()
    folder.mkdir()
    fed = None
    if data is not None and config.needs:
        fed = work / "data.jsonl"
        write_rows(fed, data.rows(data.require(config.needs, run.label)))
    spec: dict[str, Any] = {
        "kind": kind,
        "config": identity_of(config),
        "model": str(model.path.absolute()),
        "folder": str(folder),
    }
    spec |= {
        "data": str(fed) if fed else None,
        "seed": run.seed,
        "device": run.device,
        "messages": str(work / "messages.jsonl"),
    }
    write_json(work / "spec.json", spec)
    log = run.record / f"{run.label}.log"
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [outside.interpreter, outside.script, work / "spec.json"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=Outside.variables(),
        )
    try:
        for message in _messages(work / "messages.jsonl", process):
            if not message.keys() <= {"say", "log"}:
                raise StepError(
                    f"{outside.script.name} reported {sorted(message)}; it may report say and log"
                )
            relay(run, message)
    finally:
        process.terminate()
        process.wait()
    if process.returncode:
        raise StepError(
            f"{ended(process.returncode, outside.script.name)}; its last words are in {log}"
        ) from ChildError(tail(log))
    shutil.rmtree(work)
    if not any(folder.iterdir()):
        raise StepError(
            f"{outside.script.name} ended well and wrote nothing into the folder that its spec names"
        )
    if kind != "export":
        return ModelRef.of(folder)
    facts = read_json(folder / PACKAGE) if (folder / PACKAGE).is_file() else {}
    write_package(folder, run.host.choice_of(config).name, model.digest, facts)
    return ModelRef.of(folder, "package")


def environment(ranks: int) -> dict[str, str]:
    """This process's environment, its threads shared out among the ranks."""
    if ranks == 1:
        return dict(os.environ)
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    return {**os.environ, "OMP_NUM_THREADS": str(max(threads // ranks, 1))}


def relay(run: Run, message: dict[str, Any]) -> None:
    """Repeat here what rank 0 reported."""
    if "log" in message:
        run.log(*message["log"])
    elif "say" in message:
        run.say(message["say"])
    elif "print" in message:
        run.console.say(message["print"])
    elif "progress" in message:
        run.console.progress(*message["progress"])
    else:
        name, fields = message["event"]
        run.event(name, **fields)


def _messages(path: Path, process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """The lines of a growing file, until the process that writes it has ended."""
    position, ended = 0, False
    while not ended:
        ended = process.poll() is not None
        if path.exists():
            with path.open("rb") as file:
                file.seek(position)
                lines = file.read()
            whole = lines[: lines.rfind(b"\n") + 1]
            position += len(whole)
            yield from (json.loads(line) for line in whole.splitlines())
        if not ended:
            time.sleep(POLL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End all ranks: they leave when their standard input closes, and the launcher when they have left."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _outcome(work: Path, code: int, log: Path) -> ModelRef:
    if code == 0 and (work / "made.json").exists():
        made = read_json(work / "made.json")
        return ModelRef(Path(made["path"]), made["digest"], made["kind"])
    last = tail(log)
    codes = [int(found) for found in EXIT_CODE.findall(last)] or [code]
    errors = sorted(work.glob("error-*.json"), key=lambda path: path.stat().st_mtime_ns)
    if errors and codes[-1] >= 0:
        error, rank = read_json(errors[0]), errors[0].stem.rpartition("-")[2]
        said = error["message"] if error["type"] == "StepError" else f"{error['type']}: {error['message']}"
        raise StepError(said if rank == "0" else f"rank {rank}: {said}") from ChildError(error["traceback"])
    # a rank that was killed is the reason, what the others say of lost connections is not
    raise StepError(
        f"{ended(codes[-1], 'the process of the step')}; its last words are in {log}"
    ) from ChildError(last)


def ended(code: int, what: str) -> str:
    """The end of a process in words."""
    if code >= 0:
        return f"{what} ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = {"SIGKILL": " (out of memory?)", "SIGSEGV": " (a crash in native code)"}.get(name, "")
    return f"{what} was killed by {name}{hint}"


def tail(log: Path, lines: int = 60) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
