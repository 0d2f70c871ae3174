"""Checks of scorers against people: where they are kept, and what identifies the scorer that was checked.

A scorer is identified by its settings and the content of its files (rubrics, openings, weights). With one
word changed it is another scorer, which has not been checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx import ModelRef, Scorer, identity_of
from ptx.files import cache_folder, digest_of, file_digest


def identity(scorer: Scorer, version: int) -> dict[str, Any]:
    """Everything that identifies a scorer, as plain data; ``version`` is that of the way it is asked."""
    files = {
        path.name: ModelRef.of(path).digest if path.is_dir() else file_digest(path)
        for path in scorer.inputs()
    }
    kind = f"{type(scorer).__module__}.{type(scorer).__qualname__}"
    return {"version": version, "kind": kind, "settings": identity_of(scorer), "files": files}


def key_of(scorer: Scorer, version: int) -> str:
    """Twelve hex digits that identify a scorer: its comparing form, if it can compare answers directly."""
    return digest_of(identity(scorer.comparing() or scorer, version))[:12]


def checks_of(of: str, name: str) -> Path:
    """The folder with the checks of all scorers called ``name``; ``of`` is who checks (judge, safety)."""
    return cache_folder() / of / "checks" / name


def check_file(of: str, name: str, scorer: Scorer, version: int) -> Path:
    """The file of the check of a scorer called ``name``."""
    return checks_of(of, name) / f"{key_of(scorer, version)}.json"
