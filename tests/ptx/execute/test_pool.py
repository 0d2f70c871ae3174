"""Workers: isolation, replacement, a clean end, and the same results as in one process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from ptx.execute.pool import run_in_workers
from ptx.execute.sweep import run_sweep, write_step_counts
from ptx.files import read_json, read_rows
from ptx.testing import Silent
from tests.ptx.execute.conftest import IN_THE_BACKGROUND, WORDS, made, plan_of, results, trained

pytestmark = pytest.mark.usefixtures("warm")


def test_workers_give_the_results_of_one_process_and_share_steps(folder, host, monkeypatch):
    words = ["method.rate=0.1,0.2", "compress=[],[halve]"]
    alone = plan_of(*words, host=host, out="alone")
    assert run_sweep(alone, host, Silent()).done == 5
    for name in ("trained", "gpus"):
        (folder / name).unlink()
    monkeypatch.setattr("ptx.machine.visible_gpus", lambda: ["4", "7"])
    shared = plan_of(*words, host=host)
    outcome = run_in_workers(shared, host, Silent(), 2)
    assert (outcome.done, outcome.failed) == (5, ())
    assert results(shared) == results(alone)
    assert write_step_counts(shared) == write_step_counts(alone)
    assert made(shared) == made(alone)
    assert set(made(shared).values()) == {1}
    assert sorted(rate for rate, _ in trained(folder)) == ["0.1", "0.2"]
    gpus = (folder / "gpus").read_text().split()
    assert len(gpus) == 2  # TRL refuses a training that sees several GPUs: each worker has one
    assert set(gpus) <= {"4", "7"}


@pytest.mark.parametrize(("evaluators", "starts"), [("[count]", 3), ("[count,steady]", 6)])
def test_a_run_is_taken_up_a_second_time_only_for_its_timings(folder, host, evaluators, starts):
    plan = plan_of("method.rate=0.1,0.2", f"eval={evaluators}", host=host)
    assert run_in_workers(plan, host, Silent(), 2).done == 3
    journals = [read_rows(plan.folder / run.id / "events.jsonl") for run in plan.runs]
    events = [event["event"] for rows in journals for event in rows]
    assert events.count("run_started") == starts
    assert events.count("run_finished") == 3


@pytest.mark.parametrize(
    ("crash", "said"), [("SIGSEGV", "a crash in native code"), ("SIGKILL", "out of memory?")]
)
def test_a_step_that_crashes_the_interpreter_fails_its_run_only(folder, host, crash, said):
    plan = plan_of("method.args={crash: " + crash + "},{}", host=host)
    outcome = run_in_workers(plan, host, Silent(), 1)
    assert outcome.done == 2
    assert [said in message for _, message in outcome.failed] == [True]
    failed = read_json(plan.folder / outcome.failed[0][0] / "result.json")
    assert failed["status"] == "failed"
    assert "Fatal" in failed["error"]["traceback"] or crash == "SIGKILL"


@pytest.mark.parametrize(
    ("before", "number"),
    [([], signal.SIGINT), (IN_THE_BACKGROUND, signal.SIGTERM)],
    ids=["Ctrl-C", "kill, in the background of a script"],
)
def test_an_interrupt_ends_the_runs_under_way_cleanly_and_the_command_continues(folder, before, number):
    command = [sys.executable, "-m", "ptx", "train", *WORDS, "method.args.steps=40", "workers=1"]
    running = subprocess.Popen([*before, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not (folder / "trained").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(number)
    _, said = running.communicate(timeout=300)
    assert running.returncode == 130, said
    results = (folder / "ptx-out" / "runs").glob("*/*/result.json")
    statuses = [read_json(path)["status"] for path in results if not path.parent.name.startswith("baseline")]
    assert statuses == ["interrupted"]
    assert subprocess.run([*command, "method.args.steps=0"], capture_output=True).returncode == 0
