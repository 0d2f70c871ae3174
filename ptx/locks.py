"""Locks on a shared folder that survive a dead owner.

A lock is a file made with ``O_EXCL`` that names its owner (host, pid, the process's start) and is touched every few seconds.
It is stale when its owner ran on this host and is gone, or when nobody has touched it for :data:`SILENCE` seconds; whoever breaks it does
so under ``flock`` on a guard file and only if it is still the lock that was found stale.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BEAT = 5.0
SILENCE = 60.0


@contextmanager
def held(path: Path, waiting: Callable[[str], None] = lambda _: None, poll: float = 0.2) -> Iterator[None]:
    """Hold the lock at ``path``; calls ``waiting(owner)`` once when another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = json.dumps(_me())
    told = False
    while not _take(path, mine):
        _break_stale(path)
        if not told:
            told = True
            waiting(_owner(path))
        time.sleep(poll)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, stop), daemon=True, name="ptx-lock")
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()
        path.unlink(missing_ok=True)


def _me() -> dict[str, object]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": _process_start(os.getpid())}


def _process_start(pid: int) -> str:
    """Kernel ticks at which a process started: a reused pid has another one. Empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _take(path: Path, mine: str) -> bool:
    """Create the lock with its content in one step (a link), so that nobody ever reads an empty one."""
    staged = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    staged.write_text(mine)
    try:
        os.link(staged, path)
    except FileExistsError:
        return False
    finally:
        staged.unlink(missing_ok=True)
    return True


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        with suppress(FileNotFoundError):
            os.utime(path)


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text())
    except (OSError, ValueError):
        return "another process"
    return f"process {owner['pid']} on {owner['host']}"


def _stale(path: Path) -> bool:
    try:
        owner = json.loads(path.read_text())
        silent = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    if owner["host"] == socket.gethostname():
        return bool(_process_start(owner["pid"]) != owner["started"])
    return silent > SILENCE


def _break_stale(path: Path) -> None:
    if not _stale(path):
        return
    with path.with_name("guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if _stale(path):
            path.unlink(missing_ok=True)
