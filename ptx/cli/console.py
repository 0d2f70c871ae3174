"""Progress in the terminal: live lines in a terminal, a plain line from time to time in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.text import Text

from ptx.cli.board import Board
from ptx.cli.human import number_text
from ptx.cli.progress import Counts, RunState
from ptx.cli.silence import say_failure, silent

PLANNING = "reading the settings, the data and the model"
SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_BOARDS = 30.0
MOST_METRICS = 3  # the rest is in events.jsonl
MOST_NAMED = 4  # running runs whose place is told in a line of a log
SHARE_OF_LABEL = 0.4  # of the terminal's width
NARROW = 90  # columns; in a narrower terminal the time comes first, because the end of the line is cut off


class Terminal:
    """Prints the lines of runs, and keeps live lines below them.

    The live lines show one step, or (:meth:`watching`) a whole sweep.
    """

    def __init__(self) -> None:
        self.rich = RichConsole(highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._board: Board | None = None
        self._last_line = 0.0
        self._told: set[str] = set()

    def say(self, text: str) -> None:
        """Print a line, above the live ones."""
        if silent():
            say_failure(text)
            return
        if self._board is None:
            self._stop()
        self.rich.print(Text(text))

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show in a terminal what is being done until the block ends.

        Where the output is a file or a pipe, a line on standard error says it at once, and once.
        """
        if silent():
            yield
            return
        if not self.rich.is_terminal and text not in self._told:
            self._told.add(text)
            print(f"ptx: {text}", file=sys.stderr, flush=True)
        with self.rich.status(text, spinner="line"):
            yield

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show the progress of a step; if a sweep is watched, the progress of the sweep."""
        if silent():
            return
        if self._board is not None:
            if not self.rich.is_terminal and self._is_time(SECONDS_BETWEEN_BOARDS):
                self._board.read()
                self.rich.print(Text(sentence(self._board)))
            return
        line = progress_line(label, metrics, step, total)
        if self.rich.is_terminal:
            if self._live is None:
                self._live = Live(console=self.rich, refresh_per_second=8, transient=True)
                self._live.start()
            self._live.update(Text(line, overflow="ellipsis", no_wrap=True))
        elif self._is_time(SECONDS_BETWEEN_LINES):
            self.rich.print(Text(line))

    @contextmanager
    def watching(self, board: Board) -> Iterator[None]:
        """Show the state of a sweep below all other lines, as long as the context lasts."""
        self._stop()
        self._board, self._last_line = board, time.monotonic()
        if self.rich.is_terminal and not silent():
            self._live = Live(
                console=self.rich,
                refresh_per_second=4,
                transient=True,
                get_renderable=lambda: self._drawn(board),
            )
            self._live.start()
        try:
            yield
        finally:
            self._stop()
            self._board = None

    def _drawn(self, board: Board) -> Group:
        board.read()
        return Group(
            *(Text(line, overflow="ellipsis", no_wrap=True) for line in lines_of(board, self.rich.width))
        )

    def _is_time(self, seconds: float) -> bool:
        if time.monotonic() - self._last_line <= seconds:
            return False
        self._last_line = time.monotonic()
        return True

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()


def lines_of(board: Board, width: int) -> list[str]:
    """Return the state of a sweep in lines: its runs, its steps and time, and a line for each running run."""
    counts, elapsed = board.counts(), clock(time.monotonic() - board.started)
    steps = f"steps: {counts.steps} asked for, so far {counts.ran} ran, {counts.shared} shared"
    running_runs = board.running_runs()
    column = min(max((len(state.label) for state in running_runs), default=0), int(width * SHARE_OF_LABEL))
    return [
        f"{bar(counts.done / counts.runs)}  {states(counts)}",
        (
            f"{elapsed} elapsed, {rest_of(board)}; {steps}"
            if width < NARROW
            else f"{steps}; {elapsed} elapsed, {rest_of(board)}"
        ),
        *(f"  {cut(state.label, column):<{column}}  {activity(state)}" for state in running_runs),
    ]


def sentence(board: Board) -> str:
    """Return the state of a sweep in one line, for a log."""
    counts = board.counts()
    steps = f"{counts.steps} steps asked for, so far {counts.ran} ran, {counts.shared} shared"
    elapsed = f"{clock(time.monotonic() - board.started)} elapsed, {rest_of(board)}"
    now = [f"{state.label}: {place}" for state in board.running_runs() if (place := _place(state))]
    return "; ".join([states(counts), steps, elapsed, *now[:MOST_NAMED]])


def _place(state: RunState) -> str:
    """Where the step of a run is, as ``dpo 40/120``; empty if it does not say."""
    last = state.progress
    if not last.get("total"):
        return ""
    return f"{last.get('label') or state.at.get('name', '')} {last.get('step')}/{last['total']}"


def states(counts: Counts) -> str:
    """Return how many runs are in which state."""
    prepared = f" ({counts.prepared} of them lack only their timings)" if counts.prepared else ""
    return (
        f"{counts.done} of {counts.runs} runs done, {counts.running} running, {counts.failed} failed,"
        f" {counts.left} left{prepared}"
    )


def rest_of(board: Board) -> str:
    """Return the remaining time, and the kinds of steps that must finish once before all of it is known."""
    seconds, unknown = board.seconds_left()
    if not unknown:
        return f"ETA {clock(seconds)}"
    after = f"after the first {', '.join(unknown)}"
    return f"at least {clock(seconds)} left, ETA {after}" if seconds >= 1 else f"ETA {after}"


def activity(state: RunState) -> str:
    """Return what a run is doing."""
    if not state.at:
        return "starting" if not state.finished else "continuing"
    last = state.progress
    if not last:
        return f"{state.at['name']}  {clock(time.time() - state.at['since'])}"
    name = (
        f"{state.at['name']} {last['what']}" if "what" in last else str(last.get("label") or state.at["name"])
    )
    return progress_line(name, last.get("metrics", {}), last["step"], last["total"])


def progress_line(label: str, metrics: dict[str, float], step: int, total: int | None) -> str:
    """Return a line like ``dpo  40/120  ━━━━────────  loss 0.6931  3.4k tok/s  ETA 0:32``."""
    parts = [f"{label}  {step}/{total}" if total else f"{label}  {step}"]
    if total:
        parts.append(bar(step / total))
    shown = [name for name in metrics if name not in ("eta_seconds", "tokens_per_second")]
    parts += [f"{name} {number_text(metrics[name])}" for name in shown[:MOST_METRICS]]
    speed = metrics.get("tokens_per_second")
    if speed is not None:
        parts.append(f"{speed / 1000:.1f}k tok/s" if speed >= 1000 else f"{speed:.0f} tok/s")
    if "eta_seconds" in metrics:
        parts.append(f"ETA {clock(metrics['eta_seconds'])}")
    return "  ".join(parts)


def bar(share: float) -> str:
    """Return a bar of sixteen characters; ``share`` (0 to 1) of them are filled."""
    filled = round(16 * min(share, 1.0))
    return "━" * filled + "─" * (16 - filled)


def cut(text: str, width: int) -> str:
    """Cut a text to ``width`` characters and keep its end, where the labels of a sweep differ most."""
    return text if len(text) <= width else f"…{text[len(text) - width + 1 :]}"


def clock(seconds: float) -> str:
    """Return a duration as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
