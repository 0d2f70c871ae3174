"""The rule for every name that becomes a file or folder: runs, sweeps, steps, texts, tasks, presets, plugins.

A name is one part of a path and stays in the folder where it is put: no separator, not ``.`` or ``..``, no
control character, not longer than file systems allow with an ending, and no device of Windows, because
results are copied there.
"""

from __future__ import annotations

from collections.abc import Callable
from unicodedata import category

from ptx.errors import ConfigError, Problem
from ptx.guard.secrets import REFERENCE, masked

LONGEST = 120  # bytes; 255 less the digests and endings that are added
LONGEST_PART = 255  # bytes
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # categories of Unicode
FORBIDDEN = "/\\:*?\"'<>|$`"  # separators, what Windows refuses, what a shell expands


def fault_of(name: object) -> str:
    """Why a name cannot name a file or folder; empty if it can."""
    if not isinstance(name, str):
        return f"it is a {type(name).__name__}, not a text"
    return next((fault for fault, is_there in FAULTS.items() if is_there(name)), "")


#: what may be wrong with a name, the first that holds is said
FAULTS: dict[str, Callable[[str], object]] = {
    "it is empty": lambda name: not name.strip(),
    "it holds a secret of the environment": lambda name: masked(name) != name or REFERENCE.search(name),
    f"it contains one of {' '.join(FORBIDDEN)}": lambda name: set(name) & set(FORBIDDEN),
    "it begins with a dot or a dash": lambda name: name.startswith((".", "-")),
    "it begins or ends with a space, or ends with a dot": lambda name: name.strip().rstrip(".") != name,
    "a character in it does not print": lambda name: any(category(one) in UNSEEN for one in name),
    f"it is longer than {LONGEST} bytes": lambda name: len(name.encode(errors="replace")) > LONGEST,
    "Windows keeps that name for a device": lambda name: name.partition(".")[0].lower() in RESERVED,
}


def path_fault(path: str) -> str:
    """Why a text cannot be the path of a folder to write to, wherever that is; empty if it can."""
    if not path.strip():
        return "it is empty"
    if masked(path) != path or REFERENCE.search(path):
        return "it holds a secret of the environment"
    if any(category(one) in UNSEEN for one in path):
        return "a character in it does not print"
    if any(len(part.encode(errors="replace")) > LONGEST_PART for part in path.split("/")):
        return f"a part of it is longer than {LONGEST_PART} bytes"
    return ""


def name_problem(where: str, name: object, instead: str = "") -> Problem | None:
    """The problem of a name that the setting ``where`` gives; None if it is a good one."""
    fault = fault_of(name)
    if not fault:
        return None
    what = f"{where} must be the name of a file or folder, got {shown(name)}: {fault}"
    return Problem(what, f"try {where}={instead}" if instead else "use letters, digits, - and _")


def must_be_a_name(where: str, name: object, instead: str = "") -> str:
    """The name that the setting ``where`` gives.

    Raises:
        ConfigError: it is not the name of a file or folder in one place.
    """
    if problem := name_problem(where, name, instead):
        raise ConfigError(problem)
    return str(name)


def shown(name: object) -> str:
    """A name in a message: quoted, short, and without what does not print."""
    text = repr(masked(name) if isinstance(name, str) else name)
    return text if len(text) <= 60 else f"{text[:50]}…{text[-1]}"
