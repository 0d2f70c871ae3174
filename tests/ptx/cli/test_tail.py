"""``ptx runs tail``: events as lines, and runs that are still running."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from ptx.cli.tail import line_of
from ptx.files import append_event


def test_tail_shows_the_last_events_as_lines(sweep, ptx):
    plan, *_ = sweep("name=a")
    lines = ptx("runs", "tail", plan.runs[1].id, "-n", "3")[1].splitlines()
    assert lines[-1].endswith("  run done")
    assert len(lines) == 3
    everything = ptx("runs", "tail", plan.runs[1].id, "-n", "100")[1]
    assert "toy  2/2  ━━━━━━━━━━━━━━━━  loss 0.5" in everything
    assert plan.runs[1].id in ptx("runs", "tail", "a")[1]


def test_tail_passes_over_a_line_that_a_crash_has_cut(sweep, ptx):
    plan, *_ = sweep()
    journal = plan.folder / plan.runs[1].id / "events.jsonl"
    with journal.open("a") as file:
        file.write('{"time": 1, "ev\n{"time": 2, "event": "message", "text": "hello"}\n{"ti')
    out = ptx("runs", "tail", plan.runs[1].id)[1]
    assert "hello" in out


def test_tail_follows_a_run_until_it_has_ended(sweep, desk):
    plan, *_ = sweep()
    folder = plan.folder / plan.runs[1].id
    result = (folder / "result.json").read_text()
    (folder / "result.json").unlink()
    following = subprocess.Popen(
        [sys.executable, "-m", "ptx", "runs", "tail", str(folder), "-n", "1", "-f"],
        stdout=subprocess.PIPE,
        text=True,
    )
    first = following.stdout.readline()
    assert first.strip().endswith("run done")
    append_event(folder / "events.jsonl", "message", label="toy", text="still here")
    assert following.stdout.readline().strip().endswith("toy: still here")
    append_event(folder / "events.jsonl", "run_finished", status="failed")
    (folder / "result.json").write_text(result)
    assert following.communicate(timeout=300)[0].strip().endswith("run failed")
    assert following.returncode == 0


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"event": "step_started", "step": "dpo", "key": "a" * 64}, "dpo: started (aaaaaaaaaaaa)"),
        ({"event": "step_finished", "step": "dpo", "shared": True, "seconds": 3}, "dpo: from the store"),
        (
            {"event": "step_finished", "step": "dpo", "shared": False, "seconds": 3.5},
            "dpo: finished in 3.5 s",
        ),
        (
            {"event": "product", "name": "tokens", "key": "a", "shared": False, "seconds": 9.8},
            "tokens: finished in 9.8 s",
        ),
        (
            {"event": "fitted", "changed": {"micro_batch": 4}},
            "fitted to the memory that is free: micro_batch=4",
        ),
        ({"event": "message", "label": "dpo", "text": "hello"}, "dpo: hello"),
        ({"event": "memory_peak", "time": time.time(), "bytes": 5}, "memory peak bytes=5"),
    ],
    ids=["started", "shared", "made", "product", "fitted", "message", "unknown"],
)
def test_every_event_is_a_line(event, line):
    assert line_of(event) == line
