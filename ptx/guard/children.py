"""Start a child process so that Ctrl-C cannot fall between its start and the code that ends it.

``subprocess.Popen`` waits until the child runs its program. A KeyboardInterrupt raised inside it leaves a
child that computes on and that nobody knows.
"""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import AnyStr


def start_child(popen: Callable[[], subprocess.Popen[AnyStr]]) -> subprocess.Popen[AnyStr]:
    """Return the process that ``popen`` starts; a signal that comes meanwhile kills it and is then raised.

    Python runs the handlers of signals in the main thread alone: in another thread nothing has to be held.
    """
    if threading.current_thread() is not threading.main_thread():
        return popen()
    child = None
    try:
        with _signals_held():
            child = popen()
    except BaseException:
        if child is not None:
            child.kill()
            child.wait()
        raise
    return child


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals that Python would handle by raising are handled when the context ends.

    Their handlers are replaced, not masked: a child inherits a mask, but not a handler.
    """
    came: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    before = {number: handler for number, handler in before.items() if callable(handler)}
    for number in before:
        signal.signal(number, hold)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for signal_number in came:
        signal.raise_signal(signal_number)
