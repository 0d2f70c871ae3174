"""One temporary folder for a process: whatever a library leaves there ends with it, also after a kill.

Libraries make temporary folders of their own (wandb for its media, datasets for its files) and remove them at
a clean exit only. They all ask :mod:`tempfile`, so they get this folder; so do the processes that this one
starts (torchrun keeps a folder of logs, torch one of compiled code). It is removed at the end; one that was
left by a killed process is removed by the next command, which finds it unlocked.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "ptx-scratch-"
VARIABLE = "TMPDIR"


@contextmanager
def own_temporary_folder() -> Iterator[None]:
    """Let :mod:`tempfile` make everything in a folder of this process while the context is open."""
    before, named = tempfile.tempdir, os.environ.get(VARIABLE)
    try:
        _remove_left(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # no usable place: whoever needs one will say so
        yield
        return
    tempfile.tempdir = os.environ[VARIABLE] = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        os.environ.pop(VARIABLE, None)
        os.environ |= {} if named is None else {VARIABLE: named}
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def place_outside() -> str:
    """Where temporary files go that may outlive this process."""
    folder = Path(tempfile.gettempdir())
    return str(folder.parent if folder.name.startswith(PREFIX) else folder)


@contextmanager
def outliving() -> Iterator[None]:
    """While processes are started that may outlive this one, or run elsewhere: their files go outside."""
    named = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = place_outside()
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        os.environ |= {} if named is None else {VARIABLE: named}


def _remove_left(place: Path) -> None:
    """Remove the folders of this user that no living process holds."""
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where its process lives
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)
