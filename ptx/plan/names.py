"""Names of runs and sweeps, made from what was typed: the same command gives the same names, so that asking
again continues.
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
    """The name of a run's folder: its label, and what tells it from another run of that label."""
    keys = [[step.key for step in work.steps], [measure.key for measure in work.evaluations]]
    return f"{slug(label)}-{digest_of([label, *keys])[:8]}"


def _group(line: str) -> str:
    """``method`` of ``method.beta=0.1``."""
    return line.partition("=")[0].partition(".")[0]


def label_of(job: Job) -> str:
    """What tells this run from its neighbours: the swept values, or for a single run what was typed."""
    if job.varied:
        return " ".join(f"{key}={value}" for key, value in job.varied.items())
    return " ".join(line for line in job.overrides if _group(line) not in NEUTRAL) or "defaults"


def slug(label: str) -> str:
    """A folder name out of a label: its values, joined by dashes."""
    values = []
    for word in label.split():
        key, _, value = word.rpartition("=")
        value = Path(value.strip("[]'\"")).name or "none"
        values.append(
            value
            if key in ("", "recipe", "method", "compress", "model", "data")
            else f"{key.rpartition('.')[2]}-{value}"
        )
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(values)).strip("-.")[:80] or "run"


def sweep_name(verb: str, jobs: Sequence[Job]) -> str:
    """The same command gives the same name, so that asking again continues."""
    lines = [sorted(line for line in job.overrides if _group(line) not in NEUTRAL) for job in jobs]
    chosen = [
        line
        for line in jobs[0].overrides
        if line.partition("=")[0] in ("recipe", "method", "compress", "model", "data")
    ]
    what = slug(" ".join(chosen)) if len(jobs) == 1 and chosen else "sweep" if len(jobs) > 1 else "defaults"
    return f"{verb}-{what}-{digest_of([verb, lines])[:8]}"
