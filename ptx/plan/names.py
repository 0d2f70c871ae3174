"""Names of runs and sweeps, made from the words of the command.

The same command gives the same names, so that it resumes its sweep when it is typed again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ptx.compose.jobs import Job
from ptx.config import NEUTRAL
from ptx.files import digest_of
from ptx.plan.plan import Work


def run_id(label: str, work: Work) -> str:
    """The name of the folder of a run: its label, and a digest that distinguishes runs of equal labels."""
    keys = [[step.key for step in work.steps], [measure.key for measure in work.evaluations]]
    return f"{slug(label)}-{digest_of([label, *keys])[:8]}"


def _group(line: str) -> str:
    """The group of a word: ``method`` for ``method.beta=0.1``."""
    return line.partition("=")[0].partition(".")[0]


def label_of(job: Job) -> str:
    """The label of a run: its swept values, or all words of a command that has a single run."""
    if job.varied:
        return " ".join(f"{key}={value}" for key, value in job.varied.items())
    return " ".join(line for line in job.overrides if _group(line) not in NEUTRAL) or "defaults"


def slug(label: str) -> str:
    """A folder name for a label: its values, joined by dashes."""
    values = []
    for word in label.split():
        key, _, value = word.rpartition("=")
        value = Path(value.strip("[]'\"")).name or "none"
        values.append(
            value
            if key in ("", "recipe", "make", "method", "compress", "model", "data")
            else f"{key.rpartition('.')[2]}-{value}"
        )
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(values)).strip("-.")[:80] or "run"


def sweep_name(verb: str, jobs: Sequence[Job]) -> str:
    """The name of a sweep: the verb, the choices of a single run, and a digest of all its words."""
    lines = [sorted(line for line in job.overrides if _group(line) not in NEUTRAL) for job in jobs]
    chosen = [
        line
        for line in jobs[0].overrides
        if line.partition("=")[0] in ("recipe", "make", "method", "compress", "model", "data")
    ]
    what = slug(" ".join(chosen)) if len(jobs) == 1 and chosen else "sweep" if len(jobs) > 1 else "defaults"
    return f"{verb}-{what}-{digest_of([verb, lines])[:8]}"
