"""What runs at the moment, a word about a plugin that is not heard of, and the end of one that only lists.

A step may work for hours and is never ended: the user is told which plugin it is, and where. One thread looks
at the innermost call once a second. What only says what a plugin has (its import, its choices, its verbs) is
ended after ``PTX_PLUGIN_SECONDS`` (120; 0: never), or ``ptx --help`` would hang with it: a timer raises in
the plugin, as Ctrl-C does. Code of a C library does not hear that. The process of a command is then ended by
the thread that looks, and where the library holds Python's lock, so that no thread runs, by faulthandler,
which prints the lines.

What a plugin prints before the first step goes to stderr with its name, because stdout may be JSON for a
program.
"""

from __future__ import annotations

import faulthandler
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from ptx.errors import ConfigError, Problem

#: seconds until a word is said: of hooks that only look, and of those that may work for hours
QUICK, LONG = 20.0, 600.0
LOOKS = 1.0  # seconds between two looks
#: what is called before the first step and should take milliseconds
SHORT = ("import", "ptx_choices", "ptx_searchpath", "ptx_commands", "ptx_validate", "ptx_report")
#: what only says what a plugin has, whatever the data and the model are
LOADING = ("import", "ptx_choices")
LISTING = (*LOADING, "ptx_searchpath", "ptx_commands")
BOUND = "PTX_PLUGIN_SECONDS"  # the variable with the seconds after which one of these is ended
ENDS = 120.0  # its default: libraries on a cold network disk take a minute
MOST = 1e8  # three years: a timer of the system takes no infinite number
AGAIN = 1.0  # seconds until the timer raises again, where a plugin catches everything
DEAF = 5.0  # seconds behind the bound after which it is plain that the plugin does not hear the timer
WRONG = 2  # the exit code of a command that cannot begin


@dataclass
class Call:
    """A call of a plugin that has not returned; ``events`` is the file that its progress is written to."""

    plugin: str
    hook: str
    home: str
    events: Path | None
    run: Any = None
    since: float = field(default_factory=time.monotonic)  # a clock that nobody sets, and that sleeps too
    heard: float = field(default_factory=time.monotonic)
    written: int = 0  # the time stamp that the file had
    said: bool = False

    @property
    def patience(self) -> float:
        """Seconds without a word that are nothing to speak of."""
        return QUICK if self.hook in SHORT else LONG

    def silent(self) -> float:
        """Seconds since it began or was last heard of."""
        written = self.events.stat().st_mtime_ns if self.events is not None and self.events.exists() else 0
        if written != self.written:
            self.written, self.heard = written, time.monotonic()
        return time.monotonic() - self.heard


class HungError(BaseException):
    """The time of a call is over; no ``except Exception`` of a plugin goes on after it."""


_calls: list[Call] = []
_watching = threading.Lock()  # held by the thread that looks
_commands: list[str] = []  # holds a word if this process is a command, which may end it


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
    # a hook that does not ask for the run works for the call around it
    events = getattr(run, "events", None) or (_calls[-1].events if _calls else None)
    _calls.append(Call(plugin, hook, home, events, run))
    try:
        if hook in SHORT:
            with redirect_stdout(_stream(plugin)), _bounded(plugin, hook, home):
                yield
        else:
            yield
    finally:
        _calls.pop()


def run_at_work() -> Any:
    """The run whose step or evaluation this thread is at; None where it is at none."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return next((call.run for call in reversed(_calls) if call.run is not None), None)


@contextmanager
def _bounded(plugin: str, hook: str, home: str) -> Iterator[None]:
    """Bound the time of what only lists. A timer of somebody else is left alone.

    Raises:
        ConfigError: the time is over; the plugin, the hook and the line are named.
    """
    seconds, timer = bound(), getattr(signal, "ITIMER_REAL", None)  # Windows has none
    here = threading.current_thread() is threading.main_thread()  # only there a signal can be handled
    if hook not in LISTING or not seconds or timer is None or not here or signal.getitimer(timer)[0]:
        yield
        return

    def end(_signal: int, frame: FrameType | None) -> None:
        raise HungError(f"{hook} did not end within {seconds:g} s, at {_line_of(frame, home)}")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(timer, seconds, AGAIN)
    if lines := _commands and sys.__stderr__:
        faulthandler.dump_traceback_later(seconds + 2 * DEAF, exit=True, file=lines)
    try:
        yield
    except HungError as hung:
        if hook in LOADING:  # the host names the plugin and says how to go on
            raise ConfigError(str(hung)) from None
        fix = f"correct it, or leave it out: PTX_DISABLE={plugin}"
        raise ConfigError(Problem(f"plugin {plugin}: {hung}", fix)) from None
    finally:
        if lines:
            faulthandler.cancel_dump_traceback_later()
        signal.setitimer(timer, 0)
        signal.signal(signal.SIGALRM, before)


def is_a_command() -> None:
    """Let this process be ended where a plugin hears nothing: it is a command of ptx, nobody's program."""
    _commands.append("ptx")


def bound() -> float:
    """Seconds that a plugin has to say what it has; what is no number counts as the default."""
    try:
        seconds = float(os.environ.get(BOUND, ENDS))
    except ValueError:
        return ENDS
    return ENDS if math.isnan(seconds) else min(max(seconds, 0.0), MOST)


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
        if _commands and (text := deaf()):
            print(f"ptx: {text}", file=sys.stderr)
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(WRONG)  # the main thread does not hear that it should end


def deaf() -> str:
    """What is wrong with the innermost call, if it only lists and does not hear the timer; else empty."""
    call, seconds = (_calls[-1] if _calls else None), bound()
    if call is None or call.hook not in LISTING or not seconds:
        return ""
    if time.monotonic() - call.since < seconds + DEAF:
        return ""
    what = f"plugin {call.plugin}: {call.hook} did not end within {seconds:g} s, at {_now_at(call.home)}"
    fix = f"correct it, or leave it out: PTX_DISABLE={call.plugin}"
    return str(Problem(f"{what}, in code that cannot be interrupted", fix))


def waited_for() -> str:
    """A sentence on the innermost call, once, when it has been silent for too long."""
    call = _calls[-1] if _calls else None
    if call is None or call.said or call.silent() < call.patience:
        return ""
    call.said = True
    without = "" if call.plugin == "builtin" else f", PTX_DISABLE={call.plugin} leaves it out"
    return (
        f"ptx: nothing has been heard of plugin {call.plugin} for {call.silent():.0f} s: {call.hook} is at"
        f" {_now_at(call.home)}; Ctrl-C ends{without}"
    )


def _now_at(home: str) -> str:
    """Where the main thread is."""
    frames = sys._current_frames()  # noqa: SLF001 (the only way)
    return _line_of(frames.get(threading.main_thread().ident or 0), home)


def _line_of(frame: FrameType | None, home: str) -> str:
    """The innermost line of the plugin's own code below ``frame``; else the innermost line."""
    innermost = frame
    while frame is not None:
        file = frame.f_code.co_filename
        if home and (file == home or file.startswith(f"{home}/") or Path(file).name == home):
            return f"{Path(file).name}:{frame.f_lineno}"
        frame = frame.f_back
    return f"{Path(innermost.f_code.co_filename).name}:{innermost.f_lineno}" if innermost else "no line"
