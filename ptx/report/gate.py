"""Gates: the constraints that a model must meet to ship, decided on intervals.

A gate is a set of named constraints. Each is a bound on one metric, absolute or relative to the baseline::

    p95:        {metric: latency/p95_seconds, at_most: 2.0}
    capability: {metric: bench/mean, versus: baseline, at_least: -0.02}
    size: {metric: size/bytes_on_disk, versus: ratio, at_most: 0.9}

Two rules make a gate safer than a comparison of values:

- The whole 95 % interval has to lie on the right side of the bound. If the interval contains the bound, the
  constraint is *undecided*, and an undecided model does not ship; the finding says how many items would
  decide. An interval with one end only decides where that end is enough. With ``decide: value`` the point
  value decides.
- A metric that was not measured, not decided or measured on too few items is undecided too: a forgotten
  evaluator must never count as a pass.

Differences from the baseline are paired by item if the metric allows it (:mod:`ptx.report.table.compare`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from ptx.report.table.compare import difference_of, is_time
from ptx.report.table.frame import COST_GROUPS
from ptx.report.table.row import Row
from ptx.stats import FEWEST, FRACTIONS
from ptx.stats.decisive import deciding_n
from ptx.stats.words import between

Verdict = Literal["holds", "fails", "undecided"]
State = Literal["ships", "fails", "undecided"]

#: the violation of a constraint that could not be measured, and the least one of a constraint that does not
#: hold; both are positive, so that a search does not take them for a pass
UNKNOWN, UNSURE = 1.0, 1e-6
MISSPELT = 0.9  # similarity to a name that was measured; request_ratio is no misspelt request_seconds


@dataclass(frozen=True)
class Constraint:
    """A bound on a metric, or on its difference from the baseline's."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    segment: str = ""  # such as skill=addition; empty: all items
    versus: str = ""  # the bound is on: "baseline" candidate minus baseline, "ratio" candidate over baseline
    decide: str = "interval"  # or "value"
    why: str = ""

    @property
    def bound(self) -> float:
        """The number of ``at_least`` or ``at_most``; NaN if neither is set."""
        return (
            self.at_least
            if self.at_least is not None
            else self.at_most
            if self.at_most is not None
            else math.nan
        )

    def __str__(self) -> str:
        what = (
            self.metric
            + (f" [{self.segment}]" if self.segment else "")
            + {"": "", "baseline": " minus baseline", "ratio": " over baseline"}[self.versus]
        )
        return f"{what} {'at least' if self.at_least is not None else 'at most'} {self.bound:g}"


@dataclass(frozen=True)
class Gate:
    """A named set of constraints that must all hold."""

    name: str
    constraints: dict[str, Constraint]


@dataclass(frozen=True)
class Finding:
    """The verdict on one constraint for one model, with the measured value."""

    name: str
    verdict: Verdict
    constraint: Constraint | None = None
    value: float = math.nan
    low: float = -math.inf
    high: float = math.inf
    note: str = ""
    needed: int | None = None  # about as many items would decide, if the value stays what it is

    @property
    def violation(self) -> float:
        """How far the constraint is from holding, in units of its bound; 0 or less if it holds.

        An optimiser can minimise it.
        """
        if self.constraint is None or math.isnan(self.value):
            return UNKNOWN
        sign = -1.0 if self.constraint.at_least is not None else 1.0
        end = self.low if sign < 0 else self.high
        if self.constraint.decide == "value" or math.isinf(end):
            end = self.value
        distance = sign * (end - self.constraint.bound) / (abs(self.constraint.bound) or 1.0)
        return min(distance, 0.0) if self.verdict == "holds" else max(distance, UNSURE)

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.constraint}" if self.constraint else self.name]
        if not math.isnan(self.value):
            parts.append(f"measured {self.value:.4g} {between(self.low, self.high, '.4g')}")
        return "; ".join([*parts, *([self.note] if self.note else [])])


def judge(gate: Gate, row: Row) -> list[Finding]:
    """The findings on every constraint of the gate, for one row of a report's frame."""
    if not row.done:
        return [
            Finding(f"the run is {row.status}", "undecided", note="a model without results does not ship")
        ]
    findings = [_judge_one(name, constraint, row) for name, constraint in gate.constraints.items()]
    if len(row.done) < len(row.records):
        findings.append(
            Finding(
                "seeds", "undecided", note=f"only {len(row.done)} of {len(row.records)} seeds have results"
            )
        )
    return findings


def state_of(findings: Sequence[Finding]) -> State:
    """Whether a model ships: every constraint holds, some constraint fails, or neither can be said."""
    if any(finding.verdict == "fails" for finding in findings):
        return "fails"
    return "ships" if findings and all(finding.verdict == "holds" for finding in findings) else "undecided"


def ships(findings: Sequence[Finding]) -> bool:
    """Whether every constraint holds."""
    return state_of(findings) == "ships"


@dataclass(frozen=True)
class _Measured:
    """What a constraint bounds, or the reason why it is not known."""

    value: float = math.nan
    low: float = -math.inf
    high: float = math.inf
    n: int = 0
    unit: str = ""
    unknown: str = ""


def _judge_one(name: str, constraint: Constraint, row: Row) -> Finding:
    found = _measured(constraint, row)
    if found.unknown:
        return Finding(name, "undecided", constraint, note=found.unknown)
    value, low, high = found.value, found.low, found.high
    ends = (value, value) if constraint.decide == "value" else (low, high)
    passed = [
        end >= constraint.bound if constraint.at_least is not None else end <= constraint.bound
        for end in ends
    ]
    if all(passed):
        return Finding(name, "holds", constraint, value, low, high)
    if not any(passed):
        return Finding(name, "fails", constraint, value, low, high)
    note, needed = _what_decides(constraint, row, found)
    return Finding(name, "undecided", constraint, value, low, high, note, needed)


def _what_decides(constraint: Constraint, row: Row, found: _Measured) -> tuple[str, int | None]:
    """Why an interval does not decide, and the number of items with which it would."""
    level = re.search(r"p(\d\d)_", constraint.metric)
    needed = deciding_n(
        (found.value, found.low, found.high),
        found.n,
        constraint.bound,
        share=found.unit in FRACTIONS and not constraint.versus,
        quantile=float(f"0.{level[1]}") if level else 0.5 if is_time(constraint.metric) else 0.0,
    )
    few = math.isinf(found.low) and math.isinf(found.high)
    why = f"too few items to say ({FEWEST} are the least)" if few else "the interval contains the bound"
    if needed is None:
        return f"{why}; at this value no number of items decides it" if not few else why, None
    evaluator = row.evaluators.get((constraint.metric, constraint.segment), "")
    what = (
        f"about {needed:,} requests would decide it (eval.{evaluator}.repeats={needed})"
        if is_time(constraint.metric)
        else f"about {needed:,} items would decide it, instead of {found.n:,}"
    )
    return f"{why}; {what}", needed


def _measured(constraint: Constraint, row: Row) -> _Measured:
    metric = row.metric(constraint.metric, constraint.segment)
    if metric is None:
        return _Measured(unknown=_not_measured(constraint, row))
    if constraint.versus:
        return _against(constraint, row, metric.unit)
    return _Measured(metric.value, metric.low, metric.high, metric.n, metric.unit)


def _against(constraint: Constraint, row: Row, unit: str) -> _Measured:
    """The difference from the baseline, or the ratio to it."""
    key = (constraint.metric, constraint.segment)
    if row.reference is None:
        return _Measured(unknown="there is no finished baseline to compare with")
    found, base = difference_of(row, row.reference, key), row.reference.metric(*key)
    if base is None:
        return _Measured(unknown="the baseline does not have this metric")
    if found is None or math.isnan(found.difference.value):
        why = "another session" if is_time(constraint.metric) else "other items"
        return _Measured(unknown=f"it cannot be compared with the baseline's: measured in {why}")
    gap = found.difference
    low, high = (-math.inf, math.inf) if gap.too_few else (gap.low, gap.high)
    if constraint.versus == "baseline":
        return _Measured(gap.value, low, high, gap.n, unit)
    if not base.value > 0:
        return _Measured(unknown=f"the baseline has {base.value:g}, so there is no ratio to it")
    value, low, high = (1 + end / base.value for end in (gap.value, low, high))
    return _Measured(value, low, high, gap.n, unit)


def _not_measured(constraint: Constraint, row: Row) -> str:
    unknown = row.metrics.get((constraint.metric, constraint.segment))
    if unknown is not None and unknown.note:
        return unknown.note
    known = [name for name, segment in row.metrics if segment == constraint.segment]
    close = get_close_matches(constraint.metric, known, n=1, cutoff=MISSPELT)
    if close:
        return f"not measured; did you mean {close[0]!r}?"
    group = constraint.metric.partition("/")[0]
    return f"not measured; add {'latency' if group in COST_GROUPS else group} to eval=[...]"
