"""Workers: isolation, replacement, a clean end, and the same results as in one process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.execute.pool import run_in_workers
from ptx.execute.sweep import run_sweep, write_step_counts
from ptx.files import read_json, read_rows
from ptx.hooks.host import load_host
from ptx.plan.planner import make_plan
from ptx.testing import Silent

PTXFILE = f"""
import os, signal, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from conftest import ToyPlugin, ToyMethod
import ptx

class Plugin(ToyPlugin):
    @ptx.hookimpl
    def ptx_choices(self):
        return [choice for choice in super().ptx_choices() if choice.group != "runtime" and choice.name not in ("bench", "latency")] + EXTRA

    @ptx.hookimpl
    def ptx_train(self, run, method, model, data):
        if isinstance(method, ToyMethod):
            with open("trained", "a") as file:
                file.write(f"{{method.rate}}\\n")
            with open("seen", "a") as file:
                file.write(os.environ.get("CUDA_VISIBLE_DEVICES", "") + "\\n")
            if method.args.get("crash"):
                os.kill(os.getpid(), getattr(signal, method.args["crash"]))
            for step in range(int(method.args.get("steps", 0))):
                run.log({{"loss": 1.0}}, step, 100)
                time.sleep(0.1)
        return super().ptx_train(run, method, model, data)

from conftest import Count, Plain
class Steady(Count):
    timed = True
EXTRA = [ptx.Choice("runtime", "plain", Plain), ptx.Choice("eval", "count", Count), ptx.Choice("eval", "steady", Steady)]
toy = Plugin()
globals().update({{name: getattr(toy, name) for name in dir(toy) if name.startswith("ptx_")}})
"""
WORDS = ["model=./model", "data=./text.jsonl", "method=toy", "runtime=plain", "eval=[count,steady]"]


@pytest.fixture
def bench(desk):
    (desk / "ptxfile.py").write_text(PTXFILE)
    return desk


def made(plan):
    """How often the journals say of each key that it was made."""
    events = [event for run in plan.runs for event in read_rows(plan.folder / run.id / "events.jsonl")]
    keys = [event["key"] for event in events if event["event"] == "step_finished" and not event["shared"]]
    return {key: keys.count(key) for key in keys}


def plan_of(*words, host, out="ptx-out"):
    return make_plan(
        host, "train", compose_jobs(host, "train", [*WORDS, *words, f"out={out}"], multirun=True), "ptx test"
    )


def results(plan):
    found = {}
    for run in plan.runs:
        result = read_json(plan.folder / run.id / "result.json")
        found[run.id] = [(metric["name"], metric["value"]) for metric in result["metrics"]]
    return found


def test_workers_give_the_results_of_one_process_and_share_steps(bench, monkeypatch):
    host = load_host(bench, {"PTX_DISABLE": "checks"})
    words = ["method.rate=0.1,0.2", "compress=[],[halve]"]
    alone = plan_of(*words, host=host, out="alone")
    assert run_sweep(alone, host, Silent()).done == 5
    for name in ("trained", "seen"):
        (bench / name).unlink()
    monkeypatch.setattr("ptx.machine.visible_gpus", lambda: ["4", "7"])
    shared = plan_of(*words, host=host)
    outcome = run_in_workers(shared, host, Silent(), 2)
    assert (outcome.done, outcome.failed) == (5, ())
    assert results(shared) == results(alone)
    assert write_step_counts(shared) == write_step_counts(alone)
    assert made(shared) == made(alone)
    assert set(made(shared).values()) == {1}
    assert sorted((bench / "trained").read_text().split()) == ["0.1", "0.2"]
    seen = (bench / "seen").read_text().split()
    assert len(seen) == 2  # a training that sees several GPUs is refused by TRL: each worker has one
    assert set(seen) <= {"4", "7"}


@pytest.mark.parametrize(
    ("crash", "said"), [("SIGSEGV", "a crash in native code"), ("SIGKILL", "out of memory?")]
)
def test_a_step_that_crashes_the_interpreter_fails_its_run_only(bench, crash, said):
    host = load_host(bench, {"PTX_DISABLE": "checks"})
    plan = plan_of("method.args={crash: " + crash + "},{}", host=host)
    outcome = run_in_workers(plan, host, Silent(), 1)
    assert outcome.done == 2
    assert [said in message for _, message in outcome.failed] == [True]
    failed = read_json(plan.folder / outcome.failed[0][0] / "result.json")
    assert failed["status"] == "failed"
    assert "Fatal" in failed["error"]["traceback"] or crash == "SIGKILL"


def test_ctrl_c_ends_the_runs_under_way_as_interrupted_and_the_command_continues(bench):
    command = [sys.executable, "-m", "ptx", "train", *WORDS, "method.args.steps=40", "workers=1"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not (bench / "trained").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=300)
    assert running.returncode == 130, said
    statuses = [read_json(path)["status"] for path in (bench / "ptx-out" / "runs").glob("*/toy*/result.json")]
    statuses += [
        read_json(path)["status"] for path in (bench / "ptx-out" / "runs").glob("*/model*/result.json")
    ]
    assert statuses == ["interrupted"]
    assert subprocess.run([*command, "method.args.steps=0"], capture_output=True).returncode == 0


def test_a_worker_whose_parent_is_killed_ends_by_itself(bench):
    command = [sys.executable, "-m", "ptx", "train", *WORDS, "method.args.steps=200", "workers=1"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (bench / "trained").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.kill()
    running.wait()
    found = subprocess.run(
        ["pgrep", "-f", "ptx.execute.worker"], capture_output=True, text=True
    ).stdout.split()
    mine = [
        pid
        for pid in found
        if Path(f"/proc/{pid}/cwd").exists() and Path(f"/proc/{pid}/cwd").readlink() == bench
    ]
    deadline = time.monotonic() + 300
    while any(Path(f"/proc/{pid}").exists() for pid in mine) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in mine)


def test_an_input_that_changed_since_the_plan_was_frozen_is_refused_by_the_worker(bench):
    from ptx.execute.sweep import freeze
    from ptx.execute.worker import execute_frozen

    host = load_host(bench, {"PTX_DISABLE": "checks"})
    plan = plan_of(host=host)
    freeze(plan, host)
    (bench / "text.jsonl").write_text('{"text": "changed"}\n')
    done = execute_frozen(host, plan.folder / plan.runs[-1].id, Silent())
    assert done["status"] == "failed"
    assert "toy has changed since it was planned: data.digest" in done["error"]["message"]


def test_a_step_in_a_process_of_its_own_gives_the_same_and_shares_its_key(bench):
    host = load_host(bench, {"PTX_DISABLE": "checks"})
    inline = plan_of("method.args.steps=2", host=host, out="inline")
    apart = plan_of("method.args.steps=2", "launch=process", host=host, out="apart")
    assert inline.runs[-1].steps[0].key == apart.runs[-1].steps[0].key
    console = Silent()
    assert run_sweep(inline, host, Silent()).failed == run_sweep(apart, host, console).failed == ()
    assert [list(found) for found in results(inline).values()] == [
        list(found) for found in results(apart).values()
    ]
    assert (0, {"loss": 1.0}) in console.steps


@pytest.mark.parametrize(
    ("args", "said"), [("crash: SIGSEGV", "killed by SIGSEGV"), ("stray: 1", "outside of run.folder")]
)
def test_a_step_that_fails_in_its_own_process_fails_its_run_with_the_reason(bench, args, said):
    host = load_host(bench, {"PTX_DISABLE": "checks"})
    plan = plan_of("launch=process", "method.args={" + args + "}", host=host)
    outcome = run_sweep(plan, host, Silent())
    assert [said in message for _, message in outcome.failed] == [True]
    assert outcome.done == 1


def test_a_killed_rank_is_the_reason_and_not_what_the_others_say_of_it(tmp_path):
    from ptx.errors import StepError
    from ptx.execute.process import _outcome
    from ptx.files import write_json

    log = tmp_path / "step.log"
    log.write_text(
        "Failures:\n  rank : 0\n  exitcode  : -15 (pid: 7)\nRoot Cause:\n  rank : 1\n  exitcode  : -9 (pid:"
        " 8)\n"
    )
    write_json(
        tmp_path / "error-0.json",
        {"type": "RuntimeError", "message": "connection reset by peer", "traceback": ""},
    )
    with pytest.raises(StepError, match=r"killed by SIGKILL \(out of memory\?\)"):
        _outcome(tmp_path, 1, log)


def test_a_run_that_still_lacks_its_timings_never_has_a_result(bench, monkeypatch):
    from ptx.execute import sweep
    from ptx.execute.worker import execute_frozen

    host = load_host(bench, {"PTX_DISABLE": "checks"})
    plan = plan_of(host=host)
    sweep.freeze(plan, host)
    written = []
    monkeypatch.setattr(sweep, "write_json", lambda path, _: written.append(path.name))
    folder = plan.folder / plan.runs[-1].id
    assert execute_frozen(host, folder, Silent(), timed=False)["status"] == "prepared"
    assert written == []
    assert sweep.status_of(folder) == "unfinished"
