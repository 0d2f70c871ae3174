"""What runs at the moment, and a word about a plugin that is not heard of.

A hook that hangs cannot be stopped from outside: it may hold locks, and its thread is ours. But the user can
be told which plugin it is, and where. One thread looks at the innermost call once a second. What a plugin
prints before the first step goes to stderr with its name, because stdout may be JSON for a program.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

#: seconds until a word is said: of hooks that only look, and of those that may work for hours
QUICK, LONG = 20.0, 600.0
LOOKS = 1.0  # seconds between two looks
#: what is called before the first step and should take milliseconds
SHORT = ("import", "ptx_choices", "ptx_searchpath", "ptx_commands", "ptx_validate", "ptx_report")


@dataclass
class Call:
    """A call of a plugin that has not returned; ``events`` is the file that its progress is written to."""

    plugin: str
    hook: str
    home: str
    events: Path | None
    since: float = field(default_factory=time.time)
    said: bool = False

    @property
    def patience(self) -> float:
        """Seconds without a word that are nothing to speak of."""
        return QUICK if self.hook in SHORT else LONG

    def silent(self) -> float:
        """Seconds since it began or was last heard of."""
        heard = self.since
        if self.events is not None and self.events.exists():
            heard = max(heard, self.events.stat().st_mtime)
        return time.time() - heard


_calls: list[Call] = []
_watching = threading.Lock()  # held by the thread that looks


class Prefixed:
    """A text stream that puts the plugin's name before each line, on stderr."""

    def __init__(self, plugin: str) -> None:
        self.plugin, self.begun = plugin, False

    def write(self, text: str) -> int:
        """Write the text; a line begins with the name."""
        for line in text.splitlines(keepends=True):
            sys.stderr.write(line if self.begun else f"plugin {self.plugin}: {line}")
            self.begun = not line.endswith("\n")
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@contextmanager
def calling(plugin: str, hook: str, home: str, run: Any = None) -> Iterator[None]:
    """While a plugin runs: it is the one that is waited for."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _start_looking()
    _calls.append(Call(plugin, hook, home, getattr(run, "events", None)))
    try:
        if hook in SHORT:
            with redirect_stdout(_stream(plugin)):
                yield
        else:
            yield
    finally:
        _calls.pop()


def _stream(plugin: str) -> TextIO:
    return Prefixed(plugin)  # type: ignore[return-value]  # it has what print and progress bars ask for


def _start_looking() -> None:
    if _watching.acquire(blocking=False):
        threading.Thread(target=_look, daemon=True, name="ptx-waiting").start()


def _look() -> None:
    while True:
        time.sleep(LOOKS)
        if text := waited_for():
            print(text, file=sys.stderr, flush=True)


def waited_for() -> str:
    """A sentence on the innermost call, once, when it has been silent for too long."""
    call = _calls[-1] if _calls else None
    if call is None or call.said or call.silent() < call.patience:
        return ""
    call.said = True
    return (
        f"ptx: nothing has been heard of plugin {call.plugin} for {call.silent():.0f} s: {call.hook} is at"
        f" {_now_at(call.home)}; Ctrl-C ends, PTX_DISABLE={call.plugin} leaves it out"
    )


def _now_at(home: str) -> str:
    """The innermost line of the plugin's own code that the main thread is in; else the innermost line."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 (the only way)
    innermost = frame
    while frame is not None:
        file = frame.f_code.co_filename
        if home and (file == home or file.startswith(f"{home}/")):
            return f"{Path(file).name}:{frame.f_lineno}"
        frame = frame.f_back
    return f"{Path(innermost.f_code.co_filename).name}:{innermost.f_lineno}" if innermost else "no line"
