"""Where the Python API shows progress: in a terminal like the command line, in a notebook below the cell."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import Any

from rich.console import Console as RichConsole
from typing_extensions import override

from ptx.cli.board import Board
from ptx.cli.console import Terminal, progress_line, sentence

SECONDS_BETWEEN_UPDATES = 0.5


class Quiet(Terminal):
    """Shows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.rich = RichConsole(file=StringIO())

    @override
    def say(self, text: str) -> None:
        pass

    @override
    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        pass

    @override
    @contextmanager
    def watching(self, board: Board) -> Iterator[None]:
        yield


class Notebook(Quiet):
    """One area below the cell: the present progress, and above it, folded, what was said so far."""

    def __init__(self, display: Any, html: Any) -> None:
        super().__init__()
        self._html = html
        self._lines: list[str] = []
        self._now = ""
        self._updated = 0.0
        self._watched: Board | None = None
        self._area = display(html(""), display_id=True)

    @override
    def say(self, text: str) -> None:
        self._lines.append(text)
        self._draw()

    @override
    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        self._now = f"{text} ..."
        self._draw()
        yield
        self._now = ""

    @override
    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        if time.monotonic() - self._updated < SECONDS_BETWEEN_UPDATES:
            return
        if self._watched is None:
            self._now = progress_line(label, metrics, step, total)
        else:
            self._watched.read()
            self._now = sentence(self._watched)
        self._draw()

    @override
    @contextmanager
    def watching(self, board: Board) -> Iterator[None]:
        self._watched = board
        try:
            yield
        finally:
            self._watched = None

    @override
    def __exit__(self, *_: object) -> None:
        self._now = ""
        self._draw()

    def _draw(self) -> None:
        self._updated = time.monotonic()
        last = self._now or (self._lines[-1] if self._lines else "")
        said = escape("\n".join(self._lines))
        self._area.update(
            self._html(f"<details><summary><code>{escape(last)}</code></summary><pre>{said}</pre></details>")
        )


def display_for(*, quiet: bool = False) -> Terminal:
    """What shows the progress here: nothing, an area of the notebook, or the terminal."""
    if quiet:
        return Quiet()
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if not hasattr(shell, "kernel"):
        return Terminal()
    from IPython.display import HTML, display  # type: ignore[import-not-found,unused-ignore]

    return Notebook(display, HTML)
