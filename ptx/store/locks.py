"""Locks on a shared folder that survive the death of their owner.

A lock is a folder. Each of its files names an owner: the host, the process, the start of the process, and a
token that is never used again. The file ``owner`` names the first owner. A process that finds this owner dead
takes over with a file that is named after the dead owner's token, and so on. The files form a chain, and the
last owner of the chain holds the lock. Files are made with ``link``, which is atomic also between hosts: of
all the processes that find the same dead owner exactly one takes over. No second lock is needed to guard the
takeover. A slow process may take over from an owner that has left the chain meanwhile. Then its file belongs
to no chain; the process notices that and starts again.

An owner on this machine is dead when its process has ended (a reused pid has another start), or when it has
been stopped for :data:`SILENCE` seconds. An owner on another machine is dead when it has not touched its file
for that long. Both times are those of the file system, so clocks that disagree do not matter. An owner that
sleeps for too long may thus lose its lock: it must call :meth:`Lock.check` before it publishes.

A lock only saves work. That entries are complete does not depend on it: builders never share a folder, and
the first rename wins.
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
FIRST, AFTER, STAGED = "owner", "after-", ".tmp"


class LockLostError(PtxError):
    """This process gave no sign of life for so long that another process has taken over its lock."""


@dataclass(frozen=True)
class Lock:
    """A lock that this process holds."""

    folder: Path
    name: str
    token: str
    previous: str = ""  # the owner before, if it died without releasing the lock

    @property
    def path(self) -> Path:
        """The file that names the owner."""
        return self.folder / self.name

    def is_mine(self) -> bool:
        """Whether no other process has taken over."""
        with suppress(OSError):
            _clock(self.folder)  # a change by this client makes a network file system read the folder again
        return _is_held_with(_chain(self.folder), self.token)

    def check(self) -> None:
        """Raise LockLostError when another process has taken over."""
        if not self.is_mine():
            raise LockLostError("this process was silent for too long, and another one took over its work")

    def release(self) -> None:
        """Release the lock; its folder is removed unless other processes are waiting there."""
        with suppress(OSError):
            if _is_held_with(chain := _chain(self.folder), self.token):
                for path, _ in chain:  # from the first one on: without it the others belong to no chain
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
    """Hold the lock at ``folder``, with a heartbeat.

    ``waiting(owner)`` is called once when another process holds it. ``poll`` and ``silence`` are in seconds.
    """
    reported = False
    while (lock := try_acquire(folder, silence)) is None:
        owner = owner_of(folder, silence)
        if owner and not reported:
            reported = True
            waiting(owner)
        time.sleep(poll)
    stop = threading.Event()
    heart = threading.Thread(
        target=_heartbeat, args=(lock.path, stop, min(BEAT, silence / 4)), daemon=True, name="ptx-lock"
    )
    heart.start()
    try:
        yield lock
    finally:
        stop.set()
        heart.join()
        lock.release()


def owner_of(folder: Path, silence: float = SILENCE) -> str:
    """The process that holds the lock, in words; empty when there is none."""
    chain = _chain(folder)
    return _living_owner(chain[-1][0], silence) if chain else ""


def pid_of(folder: Path, silence: float = SILENCE) -> int | None:
    """The process on this machine that holds the lock; None when there is none, or it is on another one."""
    chain = _chain(folder)
    if not chain or not _living_owner(chain[-1][0], silence):
        return None
    owner = chain[-1][1]
    here = bool(owner.get("place")) and owner["place"] == _place()
    return int(owner["pid"]) if here and isinstance(owner.get("pid"), int) else None


def try_acquire(folder: Path, silence: float = SILENCE) -> Lock | None:
    """The lock, or None when another process holds it.

    It has no heartbeat: :func:`held` is for work that lasts.
    """
    chain = _chain(folder)
    if chain and _living_owner(chain[-1][0], silence):
        return None
    orphans = _orphans(folder, chain)
    name, previous = (_successor_name(*chain[-1]), _describe(chain[-1][1])) if chain else (FIRST, "")
    lock = Lock(folder, name, uuid.uuid4().hex, previous)
    if not _create(lock):
        return None
    if not lock.is_mine():  # this process was slow: others acquired and released the lock in between
        lock.path.unlink(missing_ok=True)
        return None
    for orphan in orphans:  # of processes that were killed before they could remove them
        orphan.unlink(missing_ok=True)
    return lock


def _chain(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The files from the first owner's to that of the present one, each with the owner that it names.

    Empty when the lock is free.
    """
    found, path = [], folder / FIRST
    while (text := _text(path)) is not None:
        found.append((path, _parsed(text)))
        path = folder / _successor_name(*found[-1])
    return found


def _orphans(folder: Path, chain: list[tuple[Path, dict[str, Any]]]) -> list[Path]:
    """Files that belong to no chain, and staged ones; a process that is making one now makes it again."""
    try:
        others = set(folder.iterdir()) - {path for path, _ in chain}
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [path for path in others if path.name.startswith(AFTER) or path.suffix == STAGED]


def _is_held_with(chain: list[tuple[Path, dict[str, Any]]], token: str) -> bool:
    return bool(chain) and chain[-1][1].get("token") == token


def _successor_name(path: Path, owner: dict[str, Any]) -> str:
    """The file name of the process that takes over from ``owner``, which is named in ``path``.

    Where the owner's file was emptied (a power cut) there is no token, and the name of that file serves.
    """
    return f"{AFTER}{owner.get('token') or path.name}"


def _create(lock: Lock) -> bool:
    """Make the lock's file, complete as soon as it appears; False when another process was first."""
    staged = lock.folder / f"{lock.token}{STAGED}"
    try:
        lock.folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # mkdir looks twice, and the folder was removed in between
        if lock.folder.is_file():
            raise
        return False
    try:
        staged.write_text(json.dumps({"host": socket.gethostname(), **_this_process(), "token": lock.token}))
        with suppress(FileExistsError):  # NFS may answer so although the link is ours; the token decides
            os.link(staged, lock.path)
        return bool(_parsed(_text(lock.path) or "").get("token") == lock.token)
    except FileNotFoundError:  # the folder was just removed with the previous lock
        return False
    finally:
        staged.unlink(missing_ok=True)


def _this_process() -> dict[str, Any]:
    return {"place": _place(), "pid": os.getpid(), "started": _process(os.getpid())[1]}


@functools.cache
def _place() -> str:
    """The scope of process ids: this boot of this machine and this pid namespace.

    Empty where /proc does not say.
    """
    try:
        return (
            f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
            f" {Path('/proc/self/ns/pid').readlink()}"
        )
    except OSError:
        return ""


def _process(pid: int) -> tuple[str, str]:
    """The state letter of a process and the kernel ticks at which it started; empty when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return fields[0], fields[19]


def _living_owner(path: Path, silence: float) -> str:
    """The owner that ``path`` names, in words; empty when it is dead."""
    try:
        with path.open() as file:  # opening makes a network file system read the time stamp again
            touched = os.fstat(file.fileno()).st_mtime
            owner = _parsed(file.read())
    except FileNotFoundError:
        return ""
    if owner.get("place") and owner["place"] == _place():
        state, started = _process(owner.get("pid", 0))
        if started != owner.get("started") or state in "ZX":
            return ""
        if state not in "Tt":
            return _describe(owner)
    try:
        return "" if _clock(path.parent) - touched > silence else _describe(owner)
    except FileNotFoundError:  # the folder was just removed, and the lock with it
        return ""
    except OSError:  # the folder cannot be written to, so no process can take over either
        return _describe(owner)


def _clock(folder: Path) -> float:
    """The time of the file system, in seconds of the epoch, by touching a file there."""
    probe = folder / f"{uuid.uuid4().hex}.clock"
    try:
        probe.touch()
        os.utime(probe)
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _heartbeat(path: Path, stop: threading.Event, every: float) -> None:
    """Touch the lock's file every ``every`` seconds until ``stop`` is set.

    Where that keeps failing other processes may take over, and :meth:`Lock.check` notices.
    """
    while not stop.wait(every):
        with suppress(OSError):
            os.utime(path)


def _text(path: Path) -> str | None:
    """The content of a file; None when it does not exist any more."""
    try:
        return path.read_text()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
            return None
        raise


def _parsed(text: str) -> dict[str, Any]:
    """The owner that a file names; empty when a power cut has emptied the file."""
    try:
        owner = json.loads(text)
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _describe(owner: dict[str, Any]) -> str:
    return f"process {owner.get('pid', '?')} on {owner.get('host', 'an unknown host')}"
