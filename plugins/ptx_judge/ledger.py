"""The checks of judges against humans: one file per judge in ptx's cache, written by ``ptx judge check``.

A judge is identified by its scorer's settings and the content of their files (rubrics, weights). With one
word of the rubric changed it is another judge, which has not been checked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ptx import ModelRef, Scorer, identity_of
from ptx.files import cache_folder, digest_of, file_digest, read_json, write_json

VERSION = 1  # of the way verdicts are asked for and read


@dataclass(frozen=True)
class Check:
    """Agreement of one judge with human verdicts over ``n`` pairs; the interval is that of kappa."""

    judge: str
    kappa: float
    low: float
    high: float
    agreement: float
    n: int
    unparsable: int
    consistency: float
    margin: float
    data: str
    digest: str  # of the human verdicts

    def __str__(self) -> str:
        return (
            f"kappa {self.kappa:.3f} [{self.low:.3f}, {self.high:.3f}] with the humans of {self.data},"
            f" {self.n} pairs"
        )


def identity(scorer: Scorer) -> dict[str, Any]:
    """Everything that identifies a judge, as plain data."""
    files = {
        path.name: ModelRef.of(path).digest if path.is_dir() else file_digest(path)
        for path in scorer.inputs()
    }
    kind = f"{type(scorer).__module__}.{type(scorer).__qualname__}"
    return {"version": VERSION, "kind": kind, "settings": identity_of(scorer), "files": files}


def key_of(scorer: Scorer) -> str:
    """Twelve hex digits that identify a judge: its comparing form, if it can compare two answers directly."""
    return digest_of(identity(scorer.comparing() or scorer))[:12]


def checks_of(name: str) -> Path:
    """The folder with the checks of all judges called ``name``."""
    return cache_folder() / "judge" / "checks" / name


def find(name: str, scorer: Scorer, margin: float) -> Check | None:
    """The check of this judge; the margin must be the same, unless the judge compares answers directly."""
    path = checks_of(name) / f"{key_of(scorer)}.json"
    if not path.is_file():
        return None
    found = Check(**read_json(path))
    return found if found.margin == margin or scorer.comparing() is not None else None


def keep(name: str, scorer: Scorer, check: Check) -> Path:
    """Write a check; it replaces an earlier one of the same judge."""
    path = checks_of(name) / f"{key_of(scorer)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(check))
    return path
