"""Progress lines."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ptx.cli.console import PLANNING, Terminal, clock, progress_line


def test_a_progress_line_shows_where_a_step_stands():
    line = progress_line("dpo", {"loss": 0.69314, "tokens_per_second": 3400.0, "eta_seconds": 32.4}, 40, 120)
    assert line == "dpo  40/120  ━━━━━───────────  loss 0.6931  3.4k tok/s  ETA 0:32"


def test_only_the_first_metrics_are_shown():
    line = progress_line("sft", {"loss": 1.0, "accuracy": 0.5, "grad_norm": 2.0, "entropy": 3.0}, 1, None)
    assert "grad_norm" in line
    assert "entropy" not in line


@pytest.mark.parametrize(("seconds", "shown"), [(5, "0:05"), (65, "1:05"), (3723, "1:02:03")])
def test_durations_read_like_a_clock(seconds, shown):
    assert clock(seconds) == shown


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_waited_for_is_shown_in_a_terminal_and_said_once_beside_a_log_file(terminal, capsys):
    shown = io.StringIO()
    with Terminal() as console:
        console.rich = Console(
            file=shown, force_terminal=terminal, _environ={"TERM": "xterm", "COLUMNS": "80"}
        )
        for _ in range(2):
            with console.waiting(PLANNING):
                pass
        assert (PLANNING in shown.getvalue()) is terminal
        assert capsys.readouterr().err == ("" if terminal else f"ptx: {PLANNING}\n")
        console.say("done")
    if not terminal:
        assert shown.getvalue() == "done\n"
