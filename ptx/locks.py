"""Locks on a shared folder that survive a dead owner.

A lock is a folder of numbered files; the newest number is the lock and names its owner (host, process, the process's start). Whoever
finds none, or a newest one whose owner is gone, takes the lock by creating the next number with ``link``, which is atomic
also between hosts: of all the processes that find the same dead owner exactly one takes over, without a second lock that guards the
breaking of the first.

An owner on this machine is gone when its process is (a reused pid has another start), or when it was stopped for :data:`SILENCE`
seconds; an owner elsewhere when it has not touched its file for that long. Both times are the file system's, so clocks that disagree do
not matter. An owner who slept too long may thus be robbed: it must call :meth:`Lock.check` before it publishes.

What a lock saves is work. Whole entries do not depend on it: builders never share a folder, and one rename wins.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.errors import PtxError

BEAT = 5.0
SILENCE = 60.0


class LockLostError(PtxError):
    """The owner was silent for so long that another process has taken over."""


@dataclass(frozen=True)
class Lock:
    """A lock that this process holds."""

    folder: Path
    number: int
    token: str
    robbed: str = ""  # the owner before, when it was gone without giving the lock back

    @property
    def path(self) -> Path:
        """The file that names the owner."""
        return self.folder / str(self.number)

    def is_mine(self) -> bool:
        """Whether nobody has taken over."""
        with suppress(OSError):
            _clock(self.folder)  # a change of one's own makes a network file system read the folder anew
        return _newest(self.folder) == self.number and _read(self.path).get("token") == self.token

    def check(self) -> None:
        """Raise when somebody has taken over."""
        if not self.is_mine():
            raise LockLostError("this process was silent for too long, and another one has taken its work over")

    def release(self) -> None:
        """Give the lock back; the folder goes with it unless others are waiting there."""
        if _read(self.path).get("token") == self.token:
            self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


@contextmanager
def held(folder: Path, waiting: Callable[[str], None] = lambda _: None, *, poll: float = 0.2, silence: float = SILENCE) -> Iterator[Lock]:
    """Hold the lock at ``folder``; calls ``waiting(owner)`` once when another holds it."""
    told = False
    while (lock := try_take(folder, silence)) is None:
        owner = owner_of(folder, silence)
        if owner and not told:
            told = True
            waiting(owner)
        time.sleep(poll)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(lock.path, stop, min(BEAT, silence / 4)), daemon=True, name="ptx-lock")
    heart.start()
    try:
        yield lock
    finally:
        stop.set()
        heart.join()
        lock.release()


def owner_of(folder: Path, silence: float = SILENCE) -> str:
    """Who holds the lock, in words; empty when nobody does."""
    newest = _newest(folder)
    return "" if newest < 0 else _living(folder / str(newest), silence)


def try_take(folder: Path, silence: float = SILENCE) -> Lock | None:
    """The lock, or None when somebody else has it. It has no heartbeat: :func:`held` is for work that lasts."""
    newest = _newest(folder)
    before = folder / str(newest)
    if newest >= 0 and _living(before, silence):
        return None
    dead = _read(before)
    lock = Lock(folder, newest + 1, uuid.uuid4().hex, _named(dead) if dead else "")
    if not _create(lock):
        return None
    if _newest(folder) != lock.number:  # this process was so slow that others took the lock, and gave it back, in between
        lock.path.unlink(missing_ok=True)
        return None
    for number in _numbers(folder):
        if number < lock.number:
            (folder / str(number)).unlink(missing_ok=True)
    return lock


def _create(lock: Lock) -> bool:
    """Make the lock's file, whole from its first moment; False when somebody else was first."""
    staged = lock.folder / f"{lock.token}.tmp"
    try:
        lock.folder.mkdir(parents=True, exist_ok=True)
        staged.write_text(json.dumps({"host": socket.gethostname(), **_me(), "token": lock.token}))
        with suppress(FileExistsError):  # NFS may answer so although the link is ours; the token tells
            os.link(staged, lock.path)
        return bool(_read(lock.path).get("token") == lock.token)
    except FileNotFoundError:  # the folder has just gone with the lock before
        return False
    finally:
        staged.unlink(missing_ok=True)


def _me() -> dict[str, Any]:
    return {"place": _place(), "pid": os.getpid(), "started": _process(os.getpid())[1]}


@functools.cache
def _place() -> str:
    """Where process numbers mean the same: this boot of this machine and this pid namespace; empty where /proc does not tell."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _process(pid: int) -> tuple[str, str]:
    """A process's state letter and the kernel ticks at which it started; empty when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]


def _living(path: Path, silence: float) -> str:
    """The owner in words, or an empty string when there is none any more."""
    try:
        with path.open() as file:  # opening asks a network file system for the present time stamp
            touched = os.fstat(file.fileno()).st_mtime
            owner = _parsed(file.read())
    except FileNotFoundError:
        return ""
    if owner.get("place") and owner["place"] == _place():
        state, started = _process(owner["pid"])
        if started != owner["started"] or state in "ZX":
            return ""
        if state not in "Tt":
            return _named(owner)
    try:
        return "" if _clock(path.parent) - touched > silence else _named(owner)
    except FileNotFoundError:  # the folder has just gone, and the lock with it
        return ""
    except OSError:  # nothing can be written here, so nobody can take over either
        return _named(owner)


def _clock(folder: Path) -> float:
    """The file system's own time, by touching a file there."""
    probe = folder / f"{uuid.uuid4().hex}.clock"
    try:
        probe.touch()
        os.utime(probe)
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _beat(path: Path, stop: threading.Event, every: float) -> None:
    """Touch the lock's file; where that fails for good the others see silence, and :meth:`Lock.check` tells."""
    while not stop.wait(every):
        with suppress(OSError):
            os.utime(path)


def _numbers(folder: Path) -> list[int]:
    try:
        return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _newest(folder: Path) -> int:
    return max(_numbers(folder), default=-1)


def _read(path: Path) -> dict[str, Any]:
    try:
        return _parsed(path.read_text())
    except OSError:
        return {}


def _parsed(text: str) -> dict[str, Any]:
    """The owner; nobody when a power cut has emptied the file."""
    try:
        owner = json.loads(text)
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _named(owner: dict[str, Any]) -> str:
    return f"process {owner.get('pid', '?')} on {owner.get('host', 'an unknown host')}"
