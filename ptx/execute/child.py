"""One step in a process of its own, or one rank of it: ``python -m ptx.execute.child SPEC.json``, also below
torchrun or accelerate.

The other side is :mod:`ptx.execute.process`. Rank 0 reports and writes; the other ranks are silent. A rank
whose standard input ends has lost its parent and leaves at once: what it had to keep is in its checkpoints.
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

from ptx.config import RunConfig
from ptx.data import DataSet
from ptx.errors import StepError
from ptx.execute.process import POLL
from ptx.execute.steps import transform
from ptx.files import read_json, write_json
from ptx.hooks.host import Host, get_host
from ptx.hooks.run import Run
from ptx.plan.planner import open_choice
from ptx.plan.serialize import thaw
from ptx.records import ModelRef
from ptx.store.store import Identity, Store


@dataclass(frozen=True)
class Relayed(Run):
    """A run whose reports go to the parent, line by line (``messages``), or nowhere."""

    messages: Path | None = None

    def log(self, metrics: dict[str, float], step: int, total: int | None = None) -> None:
        """Report progress over there."""
        send(self.messages, log=[metrics, step, total])

    def event(self, event: str, **fields: Any) -> None:
        """Have an event written over there."""
        send(self.messages, event=[event, fields])

    def say(self, text: str) -> None:
        """Tell the user over there."""
        send(self.messages, say=text)

    def track(self, metrics: dict[str, float], step: int) -> None:
        """The parent's trackers are told what is logged."""

    def product(self, name: str, ingredients: dict[str, Any], build: Callable[[Path], None]) -> Path:
        """Rank 0 finds it or has it built; the others wait until it is there."""
        if self.messages is not None:
            return super().product(name, ingredients, build)
        identity = Identity("products", {"choice": name, **ingredients})
        while (entry := self.store.find(identity)) is None:
            time.sleep(POLL)
        return Path(entry.payload)


@dataclass(frozen=True)
class Screen:
    """The console of a child: the parent's, or nobody's."""

    messages: Path | None

    def say(self, text: str) -> None:
        """Print a line over there, and nowhere else."""
        send(self.messages, print=text)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show progress over there."""
        send(self.messages, progress=[label, metrics, step, total])


def send(messages: Path | None, **message: Any) -> None:
    """Write one line for the parent; a silent rank writes none."""
    if messages is not None:
        with messages.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message, default=float) + "\n")


def main(path: Path) -> int:
    """Take the step; returns the exit code."""
    faulthandler.enable()  # a crash in native code leaves its Python stack in the step's log
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    spec = read_json(path)
    work, rank = Path(spec["work"]), int(os.environ.get("RANK", "0"))
    if rank:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (open for as long as the process lives)
    try:
        made = take(get_host(), spec, work / "messages.jsonl" if rank == 0 else None)
    except Exception as error:  # noqa: BLE001 (whatever a step raises is handed to the parent)
        text = "".join(traceback.format_exception(error))
        write_json(
            work / f"error-{rank}.json",
            {"type": type(error).__name__, "message": str(error), "traceback": text},
        )
        return 1
    if rank == 0:
        write_json(work / "made.json", {"path": str(made.path), "digest": made.digest, "kind": made.kind})
    return 0


def _leave_with_parent() -> None:
    while os.read(
        0, 1024
    ):  # the descriptor, not sys.stdin: its lock would still be held when the interpreter ends
        pass
    os._exit(1)  # a rank may be inside a collective that never returns: no clean-up that could wait for it


def take(host: Host, spec: dict[str, Any], messages: Path | None) -> ModelRef:
    """Take the step that ``spec`` names."""
    record = Path(spec["record"])
    frozen = read_json(record / "run.json")
    config = thaw(frozen["config"], host)
    step, data = step_of(host, frozen, config, spec["step"])
    folder, checkpoints = Path(spec["folder"]), Path(spec["checkpoints"])
    run = Relayed(
        config,
        host,
        Screen(messages),
        folder,
        folder / "events.jsonl",
        checkpoints,
        config.seed,
        spec["device"],
        spec["step"],
        record=record,
        store=Store(Path(config.out).absolute() / "store"),
        messages=messages,
        models={name: _model(further) for name, further in spec["models"].items()},
    )
    return transform(run, spec["kind"], step, _model(spec["model"]), data)


def _model(given: dict[str, Any]) -> ModelRef:
    return ModelRef(Path(given["path"]), given["digest"], given["kind"])


def step_of(host: Host, frozen: dict[str, Any], config: RunConfig, name: str) -> tuple[Any, DataSet | None]:
    """The step's configuration and what it is fed; StepError when the data is not what was planned with."""
    chain = config.chain() | ({"export": config.runtime} if config.runtime.exports else {})
    key, step = next(
        (key, step)
        for key, step in chain.items()
        if name == (key if config.recipe else host.choice_of(step).name)
    )
    planned = next(part["ingredients"] for part in frozen["steps"] if part["name"] == name)
    if "data" not in planned:
        return step, None
    data = open_choice(host, config.data)
    wanted = config.recipe["data"].get(key) if config.recipe else None
    data = data.only(wanted, f"recipe.steps.{key}") if wanted else data
    fed = {planned["data"]["shape"]: planned["data"]["digest"], **planned.get("reads", {})}
    if any(data.digest(shape) != digest for shape, digest in fed.items()):
        raise StepError(f"{data.name} has changed since the run was planned; start the command again")
    return step, data


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
