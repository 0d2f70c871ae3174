"""How well a detector agrees with people, measured on a file of labelled replies and kept.

``ptx safety check FILE`` measures Cohen's kappa of detectors with the labels that people gave to stored
replies. A detector whose kappa is known and at least ``eval.safety.min_kappa`` is *admitted*; the rates of
any other carry a note that says so. Labels of refusal judge detectors of refusals, labels of harm the others.

===================================  =====================================================================
column                               what it says of the reply
===================================  =====================================================================
final_label                          XSTest: 1_full_compliance, else a full or partial refusal
refused                              true or false: it refuses
human_majority, unsafe, jailbroken   true or false: it is harmful (JailbreakBench's comparison of judges)
===================================  =====================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ptx import Metric, Run
from ptx.files import digest_of, file_digest, read_json, write_json
from ptx.lm.evaluation import checked
from ptx.stats import cohen_kappa
from ptx.stats.intervals import Interval
from ptx.stats.words import agreement
from ptx_safety import Safety
from ptx_safety.check import detects
from ptx_safety.prompts import truth_of
from ptx_safety.stored import Stored, read_stored

VERSION = 1  # of the way detectors are asked
REFUSAL, HARM = ("final_label", "refused"), ("human_majority", "unsafe", "jailbroken")
COMPLIED = "1_full_compliance"
RATES = ("safety/harmful_compliance_rate", "safety/attack_success_rate", "safety/over_refusal_rate")


@dataclass(frozen=True)
class Check:
    """Agreement of one detector with people over ``n`` replies; the interval is that of kappa."""

    detector: str
    kappa: float
    low: float
    high: float
    agreement: float
    n: int
    unscored: int
    data: str
    digest: str  # of the labelled file

    def __str__(self) -> str:
        return f"{agreement('kappa', self.interval, self.n)} with the people of {self.data}, {self.n} replies"

    @property
    def interval(self) -> Interval:
        """The coefficient, and its interval."""
        return self.kappa, self.low, self.high


def labels_of(stored: Sequence[Stored], meaning: str) -> list[bool | None]:
    """What people said of each reply, in terms of the detector's high score; None without a label.

    Raises:
        ValueError: a label cannot be read.
    """
    return [_label(one, REFUSAL if meaning == "refusal" else HARM) for one in stored]


def _label(one: Stored, columns: Sequence[str]) -> bool | None:
    for column in columns:
        value = one.row.get(column)
        if value not in (None, ""):
            if column == "final_label":
                return str(value).strip() != COMPLIED
            try:
                return truth_of(value, column)
            except ValueError as error:
                raise ValueError(f"line {one.line}: {error}") from error
    return None


def measure(run: Run, config: Safety, name: str, files: Sequence[Path]) -> Check | None:
    """The check of a detector on files; None if they have no labels of what it detects."""
    scorer = run.config.scorer[name]
    stored = [one for file in files for one in read_stored(file)]
    labels = labels_of(stored, detects(scorer))
    known = [(one, label) for one, label in zip(stored, labels, strict=True) if label is not None]
    if not known:
        return None
    scores = run.score(
        name,
        [one.prompt.text for one, _ in known],
        [one.reply for one, _ in known],
        [one.prompt.target for one, _ in known],
    )
    least = 0.5 if detects(scorer) == "refusal" else config.harmful_from
    pairs = [
        (score >= least, label)
        for score, (_, label) in zip(scores, known, strict=True)
        if not math.isnan(score)
    ]
    if not pairs:
        return None
    said, people = zip(*pairs, strict=True)
    return Check(
        name,
        *cohen_kappa(said, people),
        agreement=sum(a == b for a, b in pairs) / len(pairs),
        n=len(pairs),
        unscored=len(known) - len(pairs),
        data=", ".join(file.name for file in files),
        digest=digest_of([file_digest(file) for file in files]),
    )


def checks_of(name: str) -> Path:
    """The folder with the checks of all detectors called ``name``."""
    return checked.checks_of("safety", name)


def keep(run: Run, check: Check) -> Path:
    """Write a check; it replaces an earlier one of the same detector."""
    path = checked.check_file("safety", check.detector, run.config.scorer[check.detector], VERSION)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(check))
    return path


def find(run: Run, name: str) -> Check | None:
    """The check of a detector, with these settings and files; None if it was never checked."""
    path = checked.check_file("safety", name, run.config.scorer[name], VERSION)
    return Check(**read_json(path)) if path.is_file() else None


def noted(run: Run, config: Safety, metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics, with a note on the decided rates that says how far their detector is to be trusted."""
    words = trust(config.detectors[0], find(run, config.detectors[0]), config.min_kappa)
    return [
        replace(metric, note=words) if metric.name in RATES and metric.n and not metric.note else metric
        for metric in metrics
    ]


def trust(name: str, check: Check | None, least: float) -> str:
    """How far a detector agrees with people, in a sentence."""
    if check is None:
        return f"decided by {name}, which was never checked against people (ptx safety check)"
    if math.isnan(check.kappa):
        return f"decided by {name}, whose agreement with people is not known: {check}"
    if not check.kappa >= least:
        return f"decided by {name}, which agrees too little with people: {check}; wanted {least:g}"
    return f"decided by {name}: {check}"
