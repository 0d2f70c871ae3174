"""Run a step in a process of its own: the parent's side.

The parent has written the full configuration of the run (run.json). The child (:mod:`ptx.execute.child`)
reads one JSON file that names the frozen run, the step and the folders; it does not use Hydra. The child
reports line by line through a file, not through a pipe, because launchers (torchrun, accelerate) do not pass
descriptors on. The parent repeats each report as if the step ran in its own process, so the record, the
terminal, the trackers and early stopping work in the same way. The standard input of every rank is a pipe
that only the parent holds open: when it closes, on purpose or because the parent was killed, all ranks exit.
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
from ptx.guard.children import start_child
from ptx.guard.masked_log import MaskedLog
from ptx.hooks.run import Run
from ptx.models.package import FILE as PACKAGE
from ptx.models.package import write_package
from ptx.plan.plan import Step
from ptx.records import DataRef, ModelRef, reference

GRACE = 30.0  # seconds for all ranks to end
POLL = 0.1  # seconds between two looks at the child's messages
#: torchrun and accelerate print the exit code of every rank so; the rank that failed first comes last
EXIT_CODE = re.compile(r"exitcode\s*:\s*(-?\d+)")


class ChildError(Exception):
    """The traceback of a child; it is the cause of the StepError with which the run ends."""


def run_in_process(run: Run, launch: Launch, step: Step, model: ModelRef, work: Path) -> ModelRef | DataRef:
    """Run ``step`` in a child process, or in the ranks that ``launch`` starts.

    The child opens the data of the run itself; the folder of what an earlier step has made is named to it.
    ``work`` is a new folder for the files that parent and child exchange. The child's output goes to
    STEP.log in the run's record.

    Raises:
        StepError: the step failed, or its process died.
    """
    work = work.absolute()
    work.mkdir(parents=True)
    spec = {
        "record": str(run.record.absolute()),
        "step": step.name,
        "kind": step.kind,
        "model": _as_json(model),
        "models": {name: _as_json(other) for name, other in run.models.items()},
        "made": str(step.data.path) if step.made_by and isinstance(step.data, DataSet) else None,
        "folder": str(run.folder.absolute()),
        "checkpoints": str(run.checkpoints.absolute()),
        "device": run.device,
        "seed": run.seed,
        "work": str(work),
    }
    write_json(work / "spec.json", spec)
    log = MaskedLog(run.record / f"{step.name}.log")
    command = launch.command(["ptx.execute.child", str(work / "spec.json")])

    def start() -> subprocess.Popen[bytes]:
        with log.writing() as out:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env=environment(launch.ranks, run.device),
                start_new_session=True,
            )

    process = start_child(start)
    try:
        for message in _messages(work / "messages.jsonl", process):
            relay(run, message)
    finally:
        _stop(process)
        log.wait()
    return _outcome(work, process.returncode, log.path)


def _as_json(model: ModelRef) -> dict[str, str]:
    return {"path": str(model.path.absolute()), "digest": model.digest, "kind": model.kind}


def run_in_environment(
    run: Run, outside: Outside, kind: str, config: Any, model: ModelRef, data: DataSet | None
) -> ModelRef:
    """Run a step by a script in another Python environment; returns the model that the script writes.

    SPEC.json holds ``kind``, ``config`` (the settings), ``model`` (a folder to read), ``folder`` (an empty
    folder into which the script writes the model), ``data`` (a file of JSON lines in the shape that the step
    needs, or null), ``seed``, ``device`` and ``messages``: a file to which the script may append lines,
    ``{"say": text}`` or ``{"log": [{name: number}, step, total]}``. Its output goes to STEP.log. Its exit
    code is 0 if it has written the model.

    An export gives a package: the facts that the script has written into ``package.json`` are kept beside
    those that ptx adds.

    Raises:
        StepError: the script failed, wrote nothing, or reported something else than say and log.
    """
    work, folder = run.folder.absolute() / "outside", run.folder.absolute() / "model"
    work.mkdir()
    folder.mkdir()
    _write_spec(run, kind, config, model, data, work, folder)
    _run_script(run, outside, work, run.record / f"{run.label}.log")
    shutil.rmtree(work)
    if not any(folder.iterdir()):
        raise StepError(
            f"{outside.script.name} ended with exit code 0 but wrote nothing into the folder of its spec"
        )
    if kind != "export":
        return ModelRef.of(folder)
    facts = read_json(folder / PACKAGE) if (folder / PACKAGE).is_file() else {}
    write_package(folder, run.host.choice_of(config).name, model.digest, facts)
    return ModelRef.of(folder, "package")


def _write_spec(
    run: Run, kind: str, config: Any, model: ModelRef, data: DataSet | None, work: Path, folder: Path
) -> None:
    """Write spec.json, and the data of the step if it needs some, into ``work``."""
    data_file = None
    if data is not None and config.needs:
        data_file = work / "data.jsonl"
        write_rows(data_file, data.rows(data.require(config.needs, run.label)))
    spec = {
        "kind": kind,
        "config": identity_of(config),
        "model": str(model.path.absolute()),
        "folder": str(folder),
        "data": str(data_file) if data_file else None,
        "seed": run.seed,
        "device": run.device,
        "messages": str(work / "messages.jsonl"),
    }
    write_json(work / "spec.json", spec)


def _run_script(run: Run, outside: Outside, work: Path, file: Path) -> None:
    """Run the script with ``work``/spec.json, relay its messages and wait until it ends."""
    log = MaskedLog(file)

    def start() -> subprocess.Popen[bytes]:
        with log.writing() as out:
            return subprocess.Popen(
                [outside.interpreter, outside.script, work / "spec.json"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=Outside.variables() | hidden_gpus(run.device),
            )

    process = start_child(start)
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
        log.wait()
    if process.returncode:
        raise StepError(
            f"{exit_text(process.returncode, outside.script.name)}; the end of its output is in {file}"
        ) from ChildError(last_lines(file))


def hidden_gpus(device: str) -> dict[str, str]:
    """Return the variable that hides the GPUs from a step on the CPU; nothing for one on a GPU.

    Libraries look for GPUs by themselves: of two ranks with device=cpu beside one GPU the second would ask
    for cuda:1.
    """
    return {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}


def environment(ranks: int, device: str) -> dict[str, str]:
    """Return the environment of the child: that of this process, with the threads divided among the ranks."""
    if ranks == 1:
        return os.environ | hidden_gpus(device)
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    return os.environ | {"OMP_NUM_THREADS": str(max(threads // ranks, 1))} | hidden_gpus(device)


def relay(run: Run, message: dict[str, Any]) -> None:
    """Pass a report of rank 0 on to the run of this process."""
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
    """Yield the lines of a growing file until the process that writes it has ended."""
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


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End all ranks: they exit when their standard input closes, and the launcher exits after them.

    What has not ended after GRACE seconds is killed.
    """
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _outcome(work: Path, code: int, log: Path) -> ModelRef | DataRef:
    """Return the model that the child has made.

    Raises:
        StepError: a rank failed or was killed; the message gives the reason of the first one.
    """
    if code == 0 and (work / "made.json").exists():
        made = read_json(work / "made.json")
        return reference(Path(made["path"]), made["digest"], made["kind"])
    last = last_lines(log)
    codes = [int(found) for found in EXIT_CODE.findall(last)] or [code]
    errors = sorted(work.glob("error-*.json"), key=lambda path: path.stat().st_mtime_ns)
    if errors and codes[-1] >= 0:
        error, rank = read_json(errors[0]), errors[0].stem.rpartition("-")[2]
        reason = error["message"] if error["type"] == "StepError" else f"{error['type']}: {error['message']}"
        raise StepError(reason if rank == "0" else f"rank {rank}: {reason}") from ChildError(
            error["traceback"]
        )
    # a rank that was killed is the reason; the others' errors about lost connections follow from it
    raise StepError(
        f"{exit_text(codes[-1], 'the process of the step')}; the end of its output is in {log}"
    ) from ChildError(last)


def exit_text(code: int, what: str) -> str:
    """Describe how a process ended: its exit code, or the signal that killed it."""
    if code >= 0:
        return f"{what} ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = {"SIGKILL": " (out of memory?)", "SIGSEGV": " (a crash in native code)"}.get(name, "")
    return f"{what} was killed by {name}{hint}"


def last_lines(log: Path, lines: int = 60) -> str:
    """Return the last lines of a log; empty if there is no log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
