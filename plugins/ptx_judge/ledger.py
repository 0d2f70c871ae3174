"""The checks of judges against humans: one file per judge in ptx's cache, written by ``ptx judge check``.

A judge is identified by its scorer's settings and the content of their files (rubrics, weights). With one
word of the rubric changed it is another judge, which has not been checked.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from ptx import Scorer
from ptx.files import read_json, write_json
from ptx.lm.evaluation import checked
from ptx.stats.words import agreement

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
        kappa = agreement("kappa", (self.kappa, self.low, self.high), self.n)
        return f"{kappa} with the humans of {self.data}, {self.n} pairs"


def key_of(scorer: Scorer) -> str:
    """Twelve hex digits that identify a judge: its comparing form, if it can compare two answers directly."""
    return checked.key_of(scorer, VERSION)


def checks_of(name: str) -> Path:
    """The folder with the checks of all judges called ``name``."""
    return checked.checks_of("judge", name)


def find(name: str, scorer: Scorer, margin: float) -> Check | None:
    """The check of this judge; the margin must be the same, unless the judge compares answers directly."""
    path = checked.check_file("judge", name, scorer, VERSION)
    if not path.is_file():
        return None
    found = Check(**read_json(path))
    return found if found.margin == margin or scorer.comparing() is not None else None


def keep(name: str, scorer: Scorer, check: Check) -> Path:
    """Write a check; it replaces an earlier one of the same judge."""
    path = checked.check_file("judge", name, scorer, VERSION)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(check))
    return path
