"""Run one step in a process of its own: ``python -m ptx.execute.child SPEC.json``.

The process may also be one rank that torchrun or accelerate has started. The parent's side is
:mod:`ptx.execute.process`. Rank 0 reports and writes; the other ranks are silent. When the standard input of
a rank ends, its parent is gone, and the rank exits at once: its checkpoints hold what must be kept.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from ptx.config import RunConfig
from ptx.data import DataSet, open_data
from ptx.errors import StepError
from ptx.execute.process import POLL
from ptx.execute.steps import transform
from ptx.files import read_json, write_json
from ptx.guard.secrets import masked_output
from ptx.hooks.border import described
from ptx.hooks.host import Host, get_host
from ptx.hooks.run import Run
from ptx.plan.inputs import open_choice
from ptx.plan.serialize import thaw
from ptx.records import DataRef, ModelRef
from ptx.store.store import Identity, Store


@dataclass(frozen=True)
class RelayedRun(Run):
    """A run that reports to its parent through the file ``messages``; without one it reports nothing."""

    messages: Path | None = None

    @override
    def log(self, metrics: dict[str, float], step: int, total: int | None = None) -> None:
        send(self.messages, log=[metrics, step, total])

    @override
    def event(self, event: str, **fields: Any) -> None:
        send(self.messages, event=[event, fields])

    @override
    def say(self, text: str) -> None:
        send(self.messages, say=text)

    @override
    def track(self, metrics: dict[str, float], step: int) -> None:
        """Do nothing: the parent sends to its trackers what this process logs."""

    @override
    def product(self, name: str, ingredients: dict[str, Any], build: Callable[[Path], None]) -> Path:
        """Return the product's folder. Rank 0 finds or builds it; the other ranks wait for it."""
        if self.messages is not None:
            return super().product(name, ingredients, build)
        identity = Identity("products", {"choice": name, **ingredients})
        while (entry := self.store.find(identity)) is None:
            time.sleep(POLL)
        return Path(entry.payload)


@dataclass(frozen=True)
class RelayedConsole:
    """A console that prints on the parent's console; without ``messages`` it prints nothing."""

    messages: Path | None

    def say(self, text: str) -> None:
        """Print a line on the parent's console; no event is recorded."""
        send(self.messages, print=text)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show progress on the parent's console."""
        send(self.messages, progress=[label, metrics, step, total])


def send(messages: Path | None, **message: Any) -> None:
    """Append one JSON line to ``messages``; a silent rank (None) writes nothing."""
    if messages is not None:
        with messages.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message, default=float) + "\n")


def main(path: Path) -> int:
    """Run the step that the file ``path`` describes; returns the exit code."""
    faulthandler.enable()  # a crash in native code leaves its Python stack in the step's log
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    spec = read_json(path)
    work, rank = Path(spec["work"]), int(os.environ.get("RANK", "0"))
    if rank:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (open for as long as the process lives)
    try:
        made = run_step(get_host(), spec, work / "messages.jsonl" if rank == 0 else None)
    except Exception as error:  # noqa: BLE001 (whatever a step raises is handed to the parent)
        text = "".join(traceback.format_exception(error))
        write_json(
            work / f"error-{rank}.json",
            {"type": type(error).__name__, "message": described(error), "traceback": text},
        )
        return 1
    if rank == 0:
        write_json(work / "made.json", {"path": str(made.path), "digest": made.digest, "kind": made.kind})
    return 0


def _leave_with_parent() -> None:
    # read the descriptor, not sys.stdin: this thread would still hold its lock when the interpreter ends
    while os.read(0, 1024):
        pass
    os._exit(1)  # a rank may be inside a collective that never returns: no clean-up that could wait for it


def run_step(host: Host, spec: dict[str, Any], messages: Path | None) -> ModelRef | DataRef:
    """Run the step that ``spec`` names; returns the model that it makes."""
    record = Path(spec["record"])
    frozen = read_json(record / "run.json")
    config = thaw(frozen["config"], host)
    step, data = step_and_data(host, frozen, config, spec["step"], spec["made"])
    folder, checkpoints = Path(spec["folder"]), Path(spec["checkpoints"])
    run = RelayedRun(
        config,
        host,
        RelayedConsole(messages),
        folder,
        folder / "events.jsonl",
        checkpoints,
        spec["seed"],
        spec["device"],
        spec["step"],
        record=record,
        store=Store(Path(config.out).absolute() / "store"),
        messages=messages,
        models={name: _model(other) for name, other in spec["models"].items()},
    )
    return transform(run, spec["kind"], step, _model(spec["model"]), data)


def _model(given: dict[str, Any]) -> ModelRef:
    return ModelRef(Path(given["path"]), given["digest"], given["kind"])


def step_and_data(
    host: Host, frozen: dict[str, Any], config: RunConfig, name: str, made: str | None = None
) -> tuple[Any, DataSet | None]:
    """Return the configuration of the step ``name`` and its data (None for a step without data).

    ``made`` is the folder of the data that an earlier step has made for it.

    Raises:
        StepError: the data has changed since the run was planned.
    """
    chain = config.chain() | ({"export": config.runtime} if config.runtime.exports else {})
    key, step = next(
        (key, step)
        for key, step in chain.items()
        if name == (key if config.recipe else host.choice_of(step).name)
    )
    planned = next(part["ingredients"] for part in frozen["steps"] if part["name"] == name)
    if "data" not in planned:
        return step, None
    if made:
        return step, open_data(config.data_of(key), Path(made))
    data = open_choice(host, config.data)
    wanted = config.data_of(key)
    data = data.only(wanted, f"recipe.steps.{key}") if wanted else data
    fed = {planned["data"]["shape"]: planned["data"]["digest"], **planned.get("reads", {})}
    if any(data.digest(shape) != digest for shape, digest in fed.items()):
        raise StepError(f"{data.name} has changed since the run was planned; run the command again")
    return step, data


if __name__ == "__main__":
    with masked_output():
        sys.exit(main(Path(sys.argv[1])))
