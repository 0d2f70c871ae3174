"""A step in a process of its own: the same result, and its failure is the reason of the run."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from ptx.errors import StepError
from ptx.execute import process
from ptx.execute.process import _outcome, environment, exit_text, last_lines, relay
from ptx.execute.sweep import run_sweep
from ptx.files import read_rows, write_json
from ptx.testing import Silent
from tests.ptx.execute.conftest import plan_of, results


def test_a_step_in_a_process_of_its_own_gives_the_same_and_shares_its_key(folder, host):
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
def test_a_step_that_fails_in_its_own_process_fails_its_run_with_the_reason(folder, host, args, said):
    plan = plan_of("launch=process", "method.args={" + args + "}", host=host)
    outcome = run_sweep(plan, host, Silent())
    assert [said in message for _, message in outcome.failed] == [True]
    assert outcome.done == 1


@pytest.mark.parametrize("ranks", [1, 2])
def test_ranks_on_the_cpu_see_no_gpu_and_those_on_gpus_see_what_the_parent_sees(ranks, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert environment(ranks, "cpu")["CUDA_VISIBLE_DEVICES"] == ""
    assert environment(ranks, "cuda")["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,3"


def test_a_script_of_another_environment_sees_no_gpu_either(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import os; print(repr(os.environ['CUDA_VISIBLE_DEVICES']))")
    (tmp_path / "messages.jsonl").touch()
    outside = SimpleNamespace(interpreter=sys.executable, script=script)
    process._run_script(SimpleNamespace(device="cpu"), outside, tmp_path, tmp_path / "log")
    assert (tmp_path / "log").read_text() == "''\n"


def test_a_killed_rank_is_the_reason_and_not_what_the_others_say_of_it(tmp_path):

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


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (3, "the worker ended with exit code 3"),
        (-9, "the worker was killed by SIGKILL (out of memory?)"),
        (-11, "the worker was killed by SIGSEGV (a crash in native code)"),
        (-15, "the worker was killed by SIGTERM"),
    ],
)
def test_the_end_of_a_process_is_described_by_its_exit_code_or_its_signal(code, text):
    assert exit_text(code, "the worker") == text


def test_the_threads_are_divided_among_the_ranks(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert [environment(ranks, "cpu")["OMP_NUM_THREADS"] for ranks in (1, 2, 4, 12)] == ["6", "3", "1", "1"]


def test_the_end_of_a_log_is_kept_and_a_log_that_is_not_there_is_empty(tmp_path):
    (tmp_path / "log").write_text("\n".join(map(str, range(100))))
    assert last_lines(tmp_path / "log", 2) == "98\n99"
    assert last_lines(tmp_path / "none") == ""


def test_what_a_child_reports_is_repeated_by_its_run(make_run):
    run = make_run()
    for message in (
        {"log": [{"loss": 1.0}, 1, 2]},
        {"say": "said"},
        {"print": "printed"},
        {"progress": ["sft", {"loss": 2.0}, 2, 2]},
        {"event": ["note", {"size": 3}]},
    ):
        relay(run, message)
    assert (1, {"loss": 1.0}) in run.console.steps
    assert (2, {"loss": 2.0}) in run.console.steps
    assert "printed" in run.console.said
    assert any("said" in line for line in run.console.said)
    events = {event["event"]: event for event in read_rows(run.events)}
    assert events["note"]["size"] == 3
    assert events["log"]["metrics"] == {"loss": 1.0}
    assert "printed" not in {event.get("text") for event in events.values()}


def test_an_error_of_rank_0_is_the_reason_and_one_of_another_rank_names_it(tmp_path):
    error = {"type": "ValueError", "message": "bad rate", "traceback": "Traceback ..."}
    for rank, reason in (("1", "rank 1: ValueError: bad rate"), ("0", "ValueError: bad rate")):
        work = tmp_path / rank
        work.mkdir()
        write_json(work / f"error-{rank}.json", error)
        with pytest.raises(StepError) as caught:
            _outcome(work, 1, tmp_path / "log")
        assert str(caught.value) == reason
        assert str(caught.value.__cause__) == "Traceback ..."
