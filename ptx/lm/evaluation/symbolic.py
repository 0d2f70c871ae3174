"""Equality of formulas by math-verify, in a process of its own that is ended when it takes too long.

math-verify bounds its time with a signal. That works in the main thread only, and not at all while sympy is
inside one long operation (its issue 65: a tower of powers hangs for ever). So one warm process answers one
question at a time. It has ``SECONDS`` of processor time per question, so that a busy machine changes no
answer, and a bound on memory. A question without an answer in these bounds counts as "not equal". The process
starts at the first question, which most comparisons never need.

math-verify's own mistakes are guarded against: it takes 1/2004! for 1/2006! (both are almost 0), so numbers
must also be equal relatively.
"""

from __future__ import annotations

import atexit
import json
import resource
import select
import signal
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ptx.guard.children import start_child

SECONDS = 2.0  # of processor time per question
STUCK = (
    3  # more seconds of processor time, inside one operation that cannot be interrupted, that end the process
)
PATIENCE = 120.0  # seconds per question on the clock, for a machine that is busy with something else
STARTING = 900.0  # seconds on the clock until it is ready; it ends by itself where math-verify is missing
MEMORY = 2 * 1024**3  # bytes of its address space beyond what it has after its start
TOGETHER = 1e-9  # the largest relative difference of two formulas that are equal


class Asker:
    """Asks the process, which it starts when needed and ends when it is late. Threads take turns."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.turn = threading.Lock()

    def ask(self, given: str, wanted: str) -> bool:
        """Whether two formulas are equal; False also if the process found no answer in time."""
        with self.turn:
            process = self.process or self._start()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps([given, wanted]) + "\n")
                process.stdin.flush()
            except OSError:
                self.stop()
                return False
            line = _line(process, PATIENCE)
            if line is None:
                self.stop()
            return line == "1"

    def _start(self) -> subprocess.Popen[str]:
        self.process = start_child(
            lambda: subprocess.Popen(
                [sys.executable, "-m", "ptx.lm.evaluation.symbolic"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        if _line(self.process, STARTING) != "ready":
            late = self.process.poll() is None
            self.stop()
            if late:
                raise RuntimeError(
                    f"math-verify was not ready within {STARTING:g} s; the machine is too busy"
                )
            raise RuntimeError("math-verify does not start; try pip install 'math-verify[antlr4_9_3]'")
        return self.process

    def stop(self) -> None:
        """End the process; the next question starts another."""
        if self.process is None:
            return
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self.process.wait()
        self.process = None


def _line(process: subprocess.Popen[str], seconds: float) -> str | None:
    """The next line that the process writes; None if it is late or has ended."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    return (process.stdout.readline().strip() or None) if ready else None


ASKER = Asker()
atexit.register(ASKER.stop)


@lru_cache(maxsize=65536)
def equal_formulas(given: str, wanted: str) -> bool:
    """Whether two formulas in LaTeX are equal."""
    return ASKER.ask(given, wanted)


def equal(given: str, wanted: str) -> bool:
    """The answer of the process itself; may take any time."""
    from math_verify import verify

    ours, theirs = parsed(given), parsed(wanted)
    if not ours or not theirs or not verify(theirs, ours, timeout_seconds=None, allow_set_relation_comp=True):
        return False
    return not any(_apart(a, b) for a in ours for b in theirs)


def parsed(formula: str) -> list[Any]:
    """The formula as math-verify reads it; empty if it cannot."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    rules = NormalizationConfig(basic_latex=True, malformed_operators=True, nits=True, boxed="none")
    found = parse(
        f"${formula}$",
        [LatexExtractionConfig(boxed_match_priority=-1, normalization_config=rules)],
        fallback_mode="no_fallback",
        parsing_timeout=None,
    )
    return list(found)


def _apart(a: Any, b: Any) -> bool:
    """Whether two formulas are numbers with a relative difference that rounding does not explain."""
    if not (getattr(a, "is_number", False) and getattr(b, "is_number", False)):
        return False
    left, right = complex(a.evalf(30)), complex(b.evalf(30))
    if left == right == 0:
        return bool((a - b).simplify() != 0)
    return abs(left - right) > TOGETHER * max(abs(left), abs(right))


class TooLongError(BaseException):
    """A question has had its time; no library's ``except Exception`` may catch it."""


def _raise_too_long(*_: object) -> None:
    raise TooLongError


def answer_questions() -> None:
    """Read pairs of formulas, one a line, and answer each with 1 or 0, until the input ends."""
    signal.signal(signal.SIGPROF, _raise_too_long)
    warnings.simplefilter("ignore")
    equal("x+1", "1+x")  # imports sympy and the grammar
    bound = _address_space() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    sys.set_int_max_str_digits(0)
    print("ready", flush=True)
    for line in sys.stdin:
        print(int(_answer(*json.loads(line))), flush=True)


def _address_space() -> int:
    """Bytes of this process's address space; where the system does not tell, those that were in memory."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _answer(given: str, wanted: str) -> bool:
    used = resource.getrusage(resource.RUSAGE_SELF)
    last = int(used.ru_utime + used.ru_stime + SECONDS + STUCK) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (last, resource.RLIM_INFINITY))
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        return equal(given, wanted)
    except (Exception, TooLongError):  # noqa: BLE001  # an odd formula raises any of the libraries' errors
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    answer_questions()
