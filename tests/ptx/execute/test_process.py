"""A step in a process of its own: the same result, and its failure is the reason of the run."""

from __future__ import annotations

import pytest

from ptx.errors import StepError
from ptx.execute.process import _outcome
from ptx.execute.sweep import run_sweep
from ptx.files import write_json
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
