"""Errors of the operating system in words: the cause, and what helps against this one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ptx.guard.places import OUT, elsewhere

#: errno -> (what is wrong, what helps)
CAUSES = {
    errno.ENOSPC: ("no space left on the disk", "free some space"),
    errno.EDQUOT: ("your quota of the disk is used up", "delete files of yours"),
    errno.EROFS: ("its file system is read-only", "make it writable"),
    errno.EACCES: ("this user has no permission for it", "ls -ld shows whose it is"),
    errno.EPERM: ("the system does not permit it", "ls -ld shows whose it is"),
    errno.ENOENT: ("it is not there", "was it removed or moved?"),
    errno.EISDIR: ("it is a folder, not a file", "name a file"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "name another path"),
    errno.EEXIST: ("it is there already", "move it away, or name another path"),
    errno.ENOTEMPTY: ("the folder is not empty", "move it away, or name another path"),
    errno.ENAMETOOLONG: ("the path is longer than the system allows", "name a shorter one"),
    errno.ELOOP: ("its links lead round in a circle", "correct the links"),
    errno.EMFILE: ("too many files are open", "raise the limit: ulimit -n 4096"),
    errno.ENFILE: ("too many files are open on this machine", "close other programs"),
    errno.EFBIG: ("the file is larger than the limit", "raise the limit: ulimit -f unlimited"),
    errno.EIO: ("the disk or terminal does not answer", "look at the system's log"),
    errno.ENOMEM: ("there is not enough memory", "close other programs, or use a smaller model or batch"),
    errno.ESTALE: ("the network file system has lost it", "mount it again, and run the same command"),
    errno.ENXIO: ("it is a device or pipe that nobody serves", "name a file"),
    errno.EINVAL: ("the system cannot use it as a path", "name another path"),
}
#: what is also solved by writing in another place
OF_THE_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
#: what a library may wrap in an error of its own: its text is looked for
WRAPPED = (errno.ENOSPC, errno.EDQUOT)


def cause_of(error: BaseException, out: str = OUT) -> tuple[str, str] | None:
    """(What is wrong and where, what helps) for an error of the system, also where a library wrapped it.

    ``out`` is the word that lets the command write its results in another place; empty where there is none.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number not in CAUSES:
        text = str(error)
        number = next((one for one in WRAPPED if os.strerror(one) in text), None)
    if number is None:
        return None
    what, fix = CAUSES[number]
    if number == errno.ENOENT and getattr(error, "filename", None) is None and not _has_folder():
        return "the working folder is no longer there", "go to another one: cd"
    place = place_of(error)
    word = elsewhere(place, out) if number in OF_THE_PLACE else ""
    return f"{what} ({place})", f"{fix} or use {word}" if word else fix


def place_of(error: BaseException) -> str:
    """The file that an error of the system is about."""
    name = getattr(error, "filename", None)
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else "while writing"


def _has_folder() -> bool:
    """Whether the folder that the command was typed in still exists."""
    try:
        return Path.cwd().exists()
    except FileNotFoundError:
        return False
