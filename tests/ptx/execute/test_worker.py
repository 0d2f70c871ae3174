"""The worker process: it checks its inputs, prepares runs without a result, and ends with its parent."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptx.execute import sweep
from ptx.execute.worker import PipeConsole, execute_frozen
from ptx.testing import Silent
from tests.ptx.execute.conftest import IN_THE_BACKGROUND, WORDS, plan_of

pytestmark = pytest.mark.usefixtures("warm")


def test_a_worker_whose_parent_is_killed_ends_by_itself(folder):
    command = [sys.executable, "-m", "ptx", "train", *WORDS, "method.args.steps=200", "workers=1"]
    running = subprocess.Popen(
        [*IN_THE_BACKGROUND, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (folder / "trained").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.kill()
    running.wait()
    found = subprocess.run(
        ["pgrep", "-f", "ptx.execute.worker"], capture_output=True, text=True
    ).stdout.split()
    mine = [
        pid
        for pid in found
        if Path(f"/proc/{pid}/cwd").exists() and Path(f"/proc/{pid}/cwd").readlink() == folder
    ]
    deadline = time.monotonic() + 300
    while any(Path(f"/proc/{pid}").exists() for pid in mine) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in mine)


def test_an_input_that_changed_since_the_plan_was_frozen_is_refused_by_the_worker(folder, host):

    plan = plan_of(host=host)
    sweep.freeze(plan, host)
    (folder / "text.jsonl").write_text('{"text": "changed"}\n')
    done = execute_frozen(host, plan.folder / plan.runs[-1].id, Silent())
    assert done["status"] == "failed"
    assert "toy has changed since it was planned: data.digest" in done["error"]["message"]


def test_a_run_that_still_lacks_its_timings_never_has_a_result(folder, host, monkeypatch):

    plan = plan_of(host=host)
    sweep.freeze(plan, host)
    written = []
    monkeypatch.setattr(sweep, "write_json", lambda path, _: written.append(path.name))
    folder = plan.folder / plan.runs[-1].id
    assert execute_frozen(host, folder, Silent(), timed=False)["status"] == "prepared"
    assert written == []
    assert sweep.status_of(folder) == "unfinished"


def test_what_a_run_says_goes_to_the_parent_one_line_each():
    file = io.StringIO()
    console = PipeConsole(file)
    console.say("a line\nof two")
    console.progress("toy", {"loss": 1.0}, 1, 4)
    console.send(done={"status": "done"})
    assert [json.loads(line) for line in file.getvalue().splitlines()] == [
        {"say": "a line\nof two"},
        {"progress": ["toy", {"loss": 1.0}, 1, 4]},
        {"done": {"status": "done"}},
    ]


def test_a_timed_run_is_executed_to_its_end(folder, host):
    plan = plan_of("baseline=false", host=host)
    sweep.freeze(plan, host)
    done = execute_frozen(host, plan.folder / plan.runs[0].id, Silent())
    assert done == {"status": "done", "error": None}
    assert sweep.status_of(plan.folder / plan.runs[0].id) == "done"
