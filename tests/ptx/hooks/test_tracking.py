"""What every tracker does: it sees the curves and the end of a run, and its errors stop nothing."""

import pytest

from ptx import Tracker
from ptx.hooks import tracking
from ptx.hooks.tracking import Tracking, flat_settings, summary_of
from tests.plugins.trackers import RESULT, carried_out, run_with, train

SEEN = []


class Mine(Tracker):
    """A tracker of these tests."""

    broken: str = ""


class Page:
    """A page that keeps what it is given, and fails where it is told to."""

    def __init__(self, run, settings):
        self.broken = settings.broken
        SEEN.append(("start", run.plan.id))
        if self.broken == "start":
            raise RuntimeError("no page\nat all")

    def log(self, label, metrics, step):
        SEEN.append((label, step, metrics))

    def finish(self, result):
        SEEN.append(("finish", result))
        if self.broken == "finish":
            raise RuntimeError("not taken")


class Plugin:
    def __init__(self):
        tracking = Tracking("mine", Mine, __name__)
        self.ptx_validate, self.ptx_run, self.ptx_log, self.ptx_reported = tracking.hooks


@pytest.fixture
def run(tmp_path):
    SEEN.clear()

    def make(broken="", **tracker):
        settings = Mine()
        settings.broken = broken
        return run_with(tmp_path, Plugin(), **(tracker or {"mine": settings}))

    return make


def test_a_page_sees_start_curves_and_result(run):
    assert carried_out(run(), train) is RESULT
    assert [seen[:2] for seen in SEEN] == [
        ("start", "r1"),
        ("sft", 1),
        ("sft", 2),
        ("sft", 3),
        ("finish", RESULT),
    ]


def test_a_run_that_ends_by_an_error_is_closed_and_the_error_goes_on(run):
    def interrupted(run):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carried_out(run(), interrupted)
    assert SEEN[-1] == ("finish", None)


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        ("start", "mine could not start, the run continues without it: RuntimeError: no page"),
        ("finish", "mine could not finish: RuntimeError: not taken"),
    ],
)
def test_a_tracker_that_fails_is_named_and_the_run_goes_on(run, broken, line):
    made = run(broken)
    assert carried_out(made, train) is RESULT
    assert made.console.lines == [line]


def test_a_run_without_the_tracker_opens_nothing(run):
    assert carried_out(run(other=Tracker()), train) is RESULT
    assert SEEN == []


def test_settings_and_result_become_flat():
    from ptx import RunConfig

    assert flat_settings(RunConfig(seed=3))["seed"] == 3
    assert not any(isinstance(value, dict) for value in flat_settings(RunConfig()).values())
    found = summary_of(RESULT)
    assert (found["bench/acc/skill=add/n"], found["steps/sft/key"], found["model/bytes"]) == (8, "k1", 7)
    named = {"name": "bench/mean", "evaluator": "bench", "value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    assert summary_of({"metrics": [named]})["bench/mean/low"] == 0.4  # once bench/, as in a report
    assert tracking.failed(None)
    assert not tracking.failed(RESULT)


def test_a_page_may_be_the_class_itself_so_that_a_tracker_fits_into_one_file(tmp_path):
    SEEN.clear()

    class InOneFile:
        def __init__(self):
            hooks = Tracking("mine", Mine, Page).hooks
            self.ptx_validate, self.ptx_run, self.ptx_log, self.ptx_reported = hooks

    assert carried_out(run_with(tmp_path, InOneFile(), mine=Mine()), train) is RESULT
    assert SEEN[0] == ("start", "r1")
    assert SEEN[-1] == ("finish", RESULT)
