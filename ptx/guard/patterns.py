"""Regular expressions that users' files bring, with a limit on their time.

Python's engine goes back and tries again: ``(a+)+$`` on forty letters takes years, and while it runs no other
thread does, so nothing in the process can watch it. But the engine looks for signals, and a timer of the
process's own processor time sends one. So every pattern of a user (a scorer's, a task's filters, ``skip``, a
separator, a JSON schema's) runs inside :func:`limited`, which ends it with an error that names the pattern,
where it stands and the text. The engine stays ``re``: no result changes, and a search costs two microseconds
more.

Signals reach the main thread alone. ptx runs users' patterns there; in another thread there is no limit.

The module has the names of ``re``, so that it can take its place in a library
(``replaced(extraction, "re", patterns)``).
"""

from __future__ import annotations

import functools
import re
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from re import escape
from typing import Any

from ptx.errors import ConfigError, Problem, StepError
from ptx.guard.reading import FileError

__all__ = [
    "Pattern",
    "SlowPatternError",
    "compile",
    "escape",
    "findall",
    "found_in",
    "limited",
    "of_user",
    "split",
    "sub",
]

SECONDS = 1.0  # of processor time for one text
SECONDS_PER_CHARACTER = 1e-6  # more for a long text, which even a good pattern takes a while to read
SHOWN = 40  # characters of a text in an error
FIX = "write it so that a text can match in one way only: a+ in place of (a+)+"


class SlowPatternError(ConfigError, StepError):
    """A pattern that did not end in time: which one, where it stands, and on which text."""

    def __init__(self, pattern: str, text: str = "", where: str = "") -> None:
        self.pattern, self.text = pattern, text
        begins = f", which begins {text[:SHOWN]!r}" if len(text) > SHOWN else f", {text!r}"
        on = f" on a text of {len(text):,} characters{begins}" if text else ""
        place = f"{where}: " if where else ""
        named = f"the pattern {pattern!r}" if pattern else "a pattern"
        super().__init__(Problem(f"{place}{named} does not end in {SECONDS:g} s{on}", FIX))

    def at(self, where: str) -> SlowPatternError:
        """The same error with the place where the pattern, or the text, stands."""
        return SlowPatternError(self.pattern, self.text, where)


class _LateError(BaseException):
    """The timer's signal came; a BaseException, so that no library takes it for an error of its own."""


_until = 0.0  # in this thread's processor time; 0 outside of every limit


def _ring(*_: Any) -> None:
    """End what runs if this thread used up its time; other threads' work moves the timer too."""
    left = _until - time.thread_time()
    if _until and left <= 0:
        raise _LateError
    if _until:
        signal.setitimer(signal.ITIMER_VIRTUAL, max(left, 0.001))


@functools.cache
def _listen() -> None:
    """Receive the timer's signal, from now on; to ask the system each time is what would cost time."""
    signal.signal(signal.SIGVTALRM, _ring)


class limited:  # noqa: N801 (used as a function, as contextlib's are)
    """The border around code that searches ``text`` for a user's pattern; limits may lie in each other.

    Raises:
        SlowPatternError: the code inside needs more than ``SECONDS`` of this thread's processor time.
    """

    def __init__(self, pattern: str, text: str = "", where: str = "") -> None:
        self.pattern, self.text, self.where = pattern, text, where
        self.outer, self.left, self.armed = 0.0, 0.0, False

    def __enter__(self) -> None:
        global _until
        if threading.get_ident() != threading.main_thread().ident:
            return
        _listen()
        seconds = SECONDS + SECONDS_PER_CHARACTER * len(self.text)
        self.armed, self.outer, _until = True, _until, time.thread_time() + seconds
        self.left = signal.setitimer(signal.ITIMER_VIRTUAL, seconds)[0]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        global _until  # noqa: PLW0603
        if self.armed:
            _until = self.outer
            signal.setitimer(signal.ITIMER_VIRTUAL, self.left)
        if kind is _LateError:
            raise SlowPatternError(self.pattern, self.text, self.where) from None


class Pattern:
    """A compiled pattern of a user, with the methods of ``re.Pattern``; each ends in time."""

    def __init__(self, compiled: re.Pattern[str], where: str = "") -> None:
        self.compiled, self.where = compiled, where
        self.pattern, self.groups, self.flags = compiled.pattern, compiled.groups, compiled.flags

    def _limit(self, text: str) -> limited:
        return limited(self.pattern, text, self.where)

    def search(self, text: str) -> re.Match[str] | None:
        """The first match anywhere."""
        with self._limit(text):
            return self.compiled.search(text)

    def match(self, text: str) -> re.Match[str] | None:
        """A match at the beginning."""
        with self._limit(text):
            return self.compiled.match(text)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """A match of the whole text."""
        with self._limit(text):
            return self.compiled.fullmatch(text)

    def findall(self, text: str) -> list[Any]:
        """Every match, or the groups of every match."""
        with self._limit(text):
            return self.compiled.findall(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Every match; all are found before the first is given."""
        with self._limit(text):
            return iter(list(self.compiled.finditer(text)))

    def sub(self, written: str, text: str, count: int = 0) -> str:
        """The text with every match replaced."""
        with self._limit(text):
            return self.compiled.sub(written, text, count)

    def split(self, text: str, maxsplit: int = 0) -> list[str | Any]:
        """The parts of the text between the matches."""
        with self._limit(text):
            return self.compiled.split(text, maxsplit)


def of_user(pattern: object, where: str, instead: str) -> Pattern:
    """The pattern that a user gave at ``where``: a field, or a file and line.

    Raises:
        FileError: it is none; ``instead`` is what to try.
    """
    try:
        return compile(pattern, where=where)
    except (re.error, TypeError, OverflowError, RecursionError) as fault:
        what = f"{repr(pattern)[:200]} is no regular expression ({fault})"
        raise FileError(where, what, f"try {instead}") from fault


def found_in(patterns: Iterable[str], name: str, where: str = "skip") -> bool:
    """Whether one of the user's patterns is found in a name (of a layer)."""
    return any(compile(pattern, where=where).search(name) for pattern in patterns)


def compile(pattern: Any, flags: int = 0, *, where: str = "") -> Pattern:  # noqa: A001 (as in ``re``)
    """``re.compile``; compiling itself takes time that grows with the counts of a repetition."""
    with limited(str(pattern)[:SHOWN], where=where):
        return Pattern(re.compile(pattern, flags), where)


def findall(pattern: str, text: str, flags: int = 0) -> list[Any]:
    """``re.findall``."""
    return compile(pattern, flags).findall(text)


def sub(pattern: str, written: str, text: str, count: int = 0, flags: int = 0) -> str:
    """``re.sub``."""
    return compile(pattern, flags).sub(written, text, count)


def split(pattern: str, text: str, maxsplit: int = 0, flags: int = 0) -> list[str | Any]:
    """``re.split``."""
    return compile(pattern, flags).split(text, maxsplit)
