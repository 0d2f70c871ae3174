"""The state of a sweep, as its journals tell it, and how it is shown."""

from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
from rich.console import Console

from ptx.cli.board import Board
from ptx.cli.console import Terminal, lines_of, rest_of, sentence
from ptx.compose.jobs import compose_jobs
from ptx.execute.sweep import freeze, run_sweep
from ptx.files import append_event, write_json
from ptx.plan.planner import make_plan
from ptx.testing import Silent

WORDS = [
    "model=./model",
    "data=./text.jsonl",
    "method=toy",
    "compress=[],[halve]",
    "seed=0,1",
    "eval=[latency]",
    "baseline=false",
]


@pytest.fixture
def plan(toy_host, desk):
    """Four runs: a training per seed, and half of it."""
    made = make_plan(toy_host, "train", compose_jobs(toy_host, "train", WORDS, multirun=True), "ptx test")
    freeze(made, toy_host)
    return made


@pytest.fixture
def happens(plan):
    """``happens(run, "step_started", 0)``: one more line in the journal of a run."""

    def write(number, event, at=None, **fields):
        run = plan.runs[number]
        if at is not None:
            part = (*run.steps, *run.evaluations)[at]
            fields |= {"step": part.name, "key": part.key}
        append_event(plan.folder / run.id / "events.jsonl", event, **fields)

    return write


def finish(happens, run, step, seconds, *, shared=False):
    happens(run, "step_started", step)
    happens(run, "step_finished", step, shared=shared, seconds=seconds)


def test_runs_and_steps_are_counted_as_they_come(plan, happens):
    board = Board(plan, 1)
    assert (board.counts().left, board.counts().steps) == (4, 6)
    happens(0, "run_started")
    finish(happens, 0, 0, 2.0)
    happens(0, "run_finished", status="done")
    happens(2, "run_started")
    finish(happens, 2, 0, 2.0, shared=True)
    happens(1, "run_started")
    happens(1, "run_finished", status="failed")
    board.read()
    counts = board.counts()
    assert (counts.done, counts.running, counts.failed, counts.left) == (1, 1, 1, 1)
    assert (counts.ran, counts.shared) == (1, 1)


def test_a_line_that_is_still_being_written_is_read_when_it_is_whole(plan, happens):
    board = Board(plan, 1)
    journal = plan.folder / plan.runs[0].id / "events.jsonl"
    journal.write_text('{"event": "run_st')
    board.read()
    assert board.counts().running == 0
    journal.write_text('{"event": "run_started", "time": 1}\n')
    board.read()
    assert board.counts().running == 1


def test_there_is_no_eta_while_a_kind_of_step_has_not_finished_once(plan, happens):
    board = Board(plan, 1)
    assert rest_of(board) == "ETA after the first toy, latency, halve"
    happens(0, "run_started")
    finish(happens, 0, 0, 60.0)
    finish(happens, 0, 1, 5.0)
    board.read()
    # the other seed's training and three evaluations are known
    assert rest_of(board) == "at least 1:15 left, ETA after the first halve"


def test_a_step_under_way_tells_how_long_others_of_its_kind_will_take(plan, happens):
    board = Board(plan, 1)
    happens(0, "run_started")
    happens(0, "step_started", 0)
    happens(0, "log", label="toy", step=1, total=4, metrics={"loss": 1.0, "eta_seconds": 42.0})
    board.read()
    board.runs[0].at["since"] = time.time() - 18
    assert board.seconds_left()[0] == pytest.approx(42 + 60, abs=1)  # the rest of it, and the other seed's
    assert rest_of(board).endswith("left, ETA after the first latency, halve")
    assert sentence(board).endswith(f"; {board.runs[0].label}: toy 1/4")


def test_the_eta_is_the_time_of_what_is_left_by_steps_of_the_same_kind_each_distinct_one_once(plan, happens):
    assert [len(run.steps) for run in plan.runs] == [1, 1, 2, 2]
    board = Board(plan, 1)
    happens(0, "run_started")
    finish(happens, 0, 0, 60.0)
    finish(happens, 0, 1, 5.0)
    happens(0, "run_finished", status="done")
    happens(2, "run_started")
    finish(happens, 2, 0, 60.0, shared=True)
    finish(happens, 2, 1, 20.0)
    board.read()
    # left: the other seed's training, its half, and three evaluations
    assert board.seconds_left() == (60 + 20 + 3 * 5, [])
    board.parallel = 2
    assert board.seconds_left()[0] == (60 + 20 + 3 * 5) / 2


def test_what_a_step_under_way_says_of_itself_counts_and_what_it_has_had_is_taken_off(plan, happens):
    board = Board(plan, 1)
    happens(0, "run_started")
    finish(happens, 0, 0, 60.0)
    finish(happens, 0, 1, 5.0)
    happens(2, "run_started")
    finish(happens, 2, 1, 20.0)
    happens(1, "run_started")
    happens(1, "step_started", 0)
    board.read()
    before = board.seconds_left()[0]
    board.runs[1].at["since"] -= 50
    assert before - board.seconds_left()[0] == pytest.approx(50, abs=1)
    happens(1, "log", label="toy", step=1, total=4, metrics={"loss": 1.0, "eta_seconds": 42.0})
    board.read()
    assert board.seconds_left()[0] == 42 + 20 + 3 * 5


def test_the_steps_of_a_failed_run_are_no_longer_in_the_eta(plan, happens):
    board = Board(plan, 1)
    happens(0, "run_started")
    finish(happens, 0, 0, 60.0)
    finish(happens, 0, 1, 5.0)
    for run in (1, 2, 3):
        happens(run, "run_started")
        happens(run, "run_finished", status="failed")
    board.read()
    assert board.seconds_left() == (0.0, [])


def test_what_is_in_the_store_takes_no_time_and_old_failures_are_shown_as_what_becomes_of_them(
    toy_host, plan
):
    run_sweep(plan, toy_host, Silent())
    folder = plan.folder / plan.runs[1].id
    write_json(folder / "result.json", {"status": "failed", "error": {"message": "no"}})
    again, left = Board(plan, 1), Board(plan, 1, retry_failed=False)
    assert (again.counts().done, again.counts().left, again.counts().failed) == (3, 1, 0)
    assert (left.counts().done, left.counts().left, left.counts().failed) == (3, 0, 1)
    assert again.seconds_left() == (0.0, [])


def test_what_the_store_knows_of_the_time_of_a_kind_counts_for_the_steps_that_are_left(toy_host, plan):
    run_sweep(replace(plan, runs=plan.runs[:1]), toy_host, Silent())  # as an earlier command has left it
    (plan.folder / plan.runs[0].id / "events.jsonl").unlink()
    parts = (*plan.runs[0].steps, *plan.runs[0].evaluations)
    took = {part.name: plan.store.find(part.identity).meta["seconds"] for part in parts}
    board = Board(plan, 1, expected={run.steps[0].key: 1e6 for run in plan.runs})
    assert list(board.seconds[True, "toy"].values()) == [took["toy"]]
    seconds, unknown = board.seconds_left()
    assert unknown == ["halve"]
    assert seconds == pytest.approx(took["toy"] + 3 * took["latency"])


@pytest.mark.parametrize("width", [30, 62, 120])
def test_the_lines_fit_the_terminal_and_name_every_run_under_way_with_its_step(plan, happens, width):
    board = Board(plan, 2)
    for run in (0, 1):
        happens(run, "run_started")
    happens(0, "step_started", 0)
    happens(0, "log", label="toy", step=1, total=4, metrics={"loss": 1.0, "eta_seconds": 42.0})
    board.read()
    lines = lines_of(board, width)
    assert len(lines) == 4
    assert "toy  1/4" in lines[2]
    assert "starting" in lines[3]
    terminal = Terminal()
    terminal.rich = Console(file=io.StringIO(), width=width, force_terminal=True)
    with terminal.watching(board):
        terminal.say("something happened")
    shown = terminal.rich.file.getvalue()
    assert "something happened" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is there again


def test_without_a_terminal_the_sweep_is_a_sentence_now_and_then(plan, happens, capsys):
    board, terminal = Board(plan, 1), Terminal()
    happens(0, "run_started")
    with terminal.watching(board):
        terminal.progress("toy", {}, 1, 4)
        assert capsys.readouterr().out == ""
        terminal._last_line = time.monotonic() - 31
        terminal.progress("toy", {}, 2, 4)
    said = capsys.readouterr().out
    assert said.strip() == sentence(board)
    assert said.startswith(
        "0 of 4 runs done, 1 running, 0 failed, 3 left; 6 steps asked for, so far 0 ran, 0 shared; 0:0"
    )
