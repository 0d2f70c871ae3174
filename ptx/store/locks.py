"""Locks on a shared folder that survive a dead owner.

A lock is a folder whose files name owners (host, process, the process's start, a token that never returns).
``owner`` is the first; whoever finds that it is gone takes over with a file that is named after its token,
and so on: the last of this chain has the lock. Files are made with ``link``, which is atomic also between
hosts: of all the processes that find the same dead owner exactly one takes over, without a second lock that
guards the breaking of the first. Who was slow, and takes over from an owner that the chain has forgotten
meanwhile, has made a file that hangs on nothing: it sees so, and looks again.

An owner on this machine is gone when its process is (a reused pid has another start), or when it was stopped
for :data:`SILENCE` seconds; an owner elsewhere when it has not touched its file for that long. Both times are
the file system's, so clocks that disagree do not matter. An owner who slept too long may thus be robbed: it
must call :meth:`Lock.check` before it publishes.

What a lock saves is work. Whole entries do not depend on it: builders never share a folder, and one rename
wins.
"""

from __future__ import annotations

import errno
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
FIRST, AFTER, HALF_MADE = "owner", "after-", ".tmp"


class LockLostError(PtxError):
    """The owner was silent for so long that another process has taken over."""


@dataclass(frozen=True)
class Lock:
    """A lock that this process holds."""

    folder: Path
    name: str
    token: str
    robbed: str = ""  # the owner before, when it was gone without giving the lock back

    @property
    def path(self) -> Path:
        """The file that names the owner."""
        return self.folder / self.name

    def is_mine(self) -> bool:
        """Whether nobody has taken over."""
        with suppress(OSError):
            _clock(self.folder)  # a change of one's own makes a network file system read the folder anew
        return _has(_chain(self.folder), self.token)

    def check(self) -> None:
        """Raise when somebody has taken over."""
        if not self.is_mine():
            raise LockLostError(
                "this process was silent for too long, and another one has taken its work over"
            )

    def release(self) -> None:
        """Give the lock back; the folder goes with it unless others are waiting there."""
        with suppress(OSError):
            if _has(chain := _chain(self.folder), self.token):
                for path, _ in chain:  # the first one first: without it the others hang on nothing
                    path.unlink(missing_ok=True)
            self.folder.rmdir()


@contextmanager
def held(
    folder: Path,
    waiting: Callable[[str], None] = lambda _: None,
    *,
    poll: float = 0.2,
    silence: float = SILENCE,
) -> Iterator[Lock]:
    """Hold the lock at ``folder``; calls ``waiting(owner)`` once when another holds it."""
    told = False
    while (lock := try_take(folder, silence)) is None:
        owner = owner_of(folder, silence)
        if owner and not told:
            told = True
            waiting(owner)
        time.sleep(poll)
    stop = threading.Event()
    heart = threading.Thread(
        target=_beat, args=(lock.path, stop, min(BEAT, silence / 4)), daemon=True, name="ptx-lock"
    )
    heart.start()
    try:
        yield lock
    finally:
        stop.set()
        heart.join()
        lock.release()


def owner_of(folder: Path, silence: float = SILENCE) -> str:
    """Who holds the lock, in words; empty when nobody does."""
    chain = _chain(folder)
    return _living(chain[-1][0], silence) if chain else ""


def try_take(folder: Path, silence: float = SILENCE) -> Lock | None:
    """The lock, or None when somebody else has it. It has no heartbeat: :func:`held` is for work that
    lasts.
    """
    chain = _chain(folder)
    if chain and _living(chain[-1][0], silence):
        return None
    orphans = _orphans(folder, chain)
    name, robbed = (_after(*chain[-1]), _named(chain[-1][1])) if chain else (FIRST, "")
    lock = Lock(folder, name, uuid.uuid4().hex, robbed)
    if not _create(lock):
        return None
    if not lock.is_mine():  # this process was so slow that others took the lock, and gave it back, in between
        lock.path.unlink(missing_ok=True)
        return None
    for orphan in orphans:  # of processes that were killed before they could remove them
        orphan.unlink(missing_ok=True)
    return lock


def _chain(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The files from the first owner's to that of the one who has the lock, each with the owner it names;
    empty when nobody has it.
    """
    found, path = [], folder / FIRST
    while (text := _text(path)) is not None:
        found.append((path, _parsed(text)))
        path = folder / _after(*found[-1])
    return found


def _orphans(folder: Path, chain: list[tuple[Path, dict[str, Any]]]) -> list[Path]:
    """Files that hang on nothing, and half-made ones; whoever is making one just now makes it again."""
    try:
        others = set(folder.iterdir()) - {path for path, _ in chain}
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in others if path.name.startswith(AFTER) or path.suffix == HALF_MADE]


def _has(chain: list[tuple[Path, dict[str, Any]]], token: str) -> bool:
    return bool(chain) and chain[-1][1].get("token") == token


def _after(path: Path, owner: dict[str, Any]) -> str:
    """The file of whoever takes over from ``owner``; from one whose file was emptied, named after that
    file.
    """
    return f"{AFTER}{owner.get('token') or path.name}"


def _create(lock: Lock) -> bool:
    """Make the lock's file, whole from its first moment; False when somebody else was first."""
    staged = lock.folder / f"{lock.token}{HALF_MADE}"
    try:
        lock.folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # mkdir looks twice, and the folder went in between
        if lock.folder.is_file():
            raise
        return False
    try:
        staged.write_text(json.dumps({"host": socket.gethostname(), **_me(), "token": lock.token}))
        with suppress(FileExistsError):  # NFS may answer so although the link is ours; the token tells
            os.link(staged, lock.path)
        return bool(_parsed(_text(lock.path) or "").get("token") == lock.token)
    except FileNotFoundError:  # the folder has just gone with the lock before
        return False
    finally:
        staged.unlink(missing_ok=True)


def _me() -> dict[str, Any]:
    return {"place": _place(), "pid": os.getpid(), "started": _process(os.getpid())[1]}


@functools.cache
def _place() -> str:
    """Where process numbers mean the same: this boot of this machine and this pid namespace; empty where
    /proc does not tell.
    """
    try:
        return (
            f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
            f" {Path('/proc/self/ns/pid').readlink()}"
        )
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
    """Touch the lock's file; where that fails for good the others see silence, and :meth:`Lock.check`
    tells.
    """
    while not stop.wait(every):
        with suppress(OSError):
            os.utime(path)


def _text(path: Path) -> str | None:
    """What a file holds; None when there is none any more."""
    try:
        return path.read_text()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
            return None
        raise


def _parsed(text: str) -> dict[str, Any]:
    """The owner; nobody when a power cut has emptied the file."""
    try:
        owner = json.loads(text)
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _named(owner: dict[str, Any]) -> str:
    return f"process {owner.get('pid', '?')} on {owner.get('host', 'an unknown host')}"
