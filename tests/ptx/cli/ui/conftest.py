"""Sweeps in progress, made of files, and a server that shows them."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import pytest

from ptx.files import append_event, write_json
from ptx.records import Metric
from tests.ptx.report.runs import write_run, write_sweep

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

TOKEN = "a token"
NAMES = ("base", "sft", "dpo", "kto")


def finish(folder, right=0.5, size=1e6, **run):
    """Write the record of a run that has ended."""
    rows = [
        {"item": f"q{i}", "scores": {"quiz/right": float(i < 40 * right)}, "segments": {}} for i in range(40)
    ]
    metrics = [
        Metric("quiz/right", right, "fraction", "higher", max(0.0, right - 0.15), min(1.0, right + 0.15), 40),
        Metric("size/bytes_on_disk", size, "bytes", "lower", size, size, 1),
    ]
    write_run(folder, "quiz", rows, metrics, baseline=folder.name == "base", **run)
    return folder


def begin(folder, step="sft", created="2026-01-01T00:00:00+00:00", **run):
    """Write the record of a run that has begun a step."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [{"name": step, "key": f"{folder.name}-1", "kind": "train", "ingredients": {"choice": step}}]
    quiz = [{"name": "quiz", "key": f"{folder.name}-2", "ingredients": {"choice": "quiz"}}]
    head = {"id": folder.name, "label": f"method={folder.name}", "sweep": "s", "created": created}
    head |= {"varied": {"method": folder.name}, "config": {"method": folder.name, "out": "ptx-out"}}
    write_json(
        folder / "run.json", head | {"steps": parts, "evaluations": quiz, "model": {"name": "m"}} | run
    )
    log(folder, "run_started")
    log(folder, "step_started", step=step, key=f"{folder.name}-1")
    return folder


def log(folder, event, **fields):
    append_event(folder / "events.jsonl", event, **fields)


def fail(folder, message="no memory", traceback="Traceback\n  File x, line 1"):
    write_json(
        folder / "result.json",
        {"status": "failed", "error": {"type": "StepError", "message": message, "traceback": traceback}},
    )


@pytest.fixture
def root(tmp_path):
    """An output folder with a sweep: two runs done, one begun, one planned."""
    sweep = tmp_path / "ptx-out" / "runs" / "first"
    finish(sweep / "base", 0.4)
    finish(sweep / "sft", 0.7, 5e5)
    begin(sweep / "dpo", "dpo")
    write_sweep(sweep, *NAMES)
    return tmp_path / "ptx-out"


@contextmanager
def serving(root, *, private=False, names=()):
    """A real server on a port of its own; gives its address."""
    import uvicorn

    from ptx.cli.ui import _listen
    from ptx.cli.ui.access import Rules
    from ptx.cli.ui.app import Ui

    listening = _listen("127.0.0.1", 0)
    server = []
    ui = Ui(root, Rules(TOKEN, private, frozenset(names)), frozenset(), lambda: server[0].should_exit)
    server.append(uvicorn.Server(uvicorn.Config(ui.app(), log_level="warning", lifespan="off")))
    thread = threading.Thread(target=server[0].run, args=([listening],))
    thread.start()
    while not server[0].started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        server[0].should_exit = True
        thread.join(20)
        ui.builder.close()
        listening.close()
        assert not thread.is_alive()
