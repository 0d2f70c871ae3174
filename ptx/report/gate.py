"""Gates: the constraints that a model must meet to ship, decided on intervals.

A gate is a set of named constraints. Each is a bound on one metric, absolute or relative to the baseline::

    p95:        {metric: latency/p95_seconds, at_most: 2.0}
    capability: {metric: bench/mean, versus: baseline, at_least: -0.02}

Two rules make a gate safer than a comparison of values:

- The whole 95 % interval has to lie on the right side of the bound. If the interval contains the bound, the
  constraint is *undecided*, and an undecided model does not ship. With ``decide: value`` the point value
  decides.
- A metric that was not measured, not decided or measured on too few items is undecided too: a forgotten
  evaluator must never count as a pass.

Differences from the baseline are paired by item if the metric allows it (:mod:`ptx.report.table.compare`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ptx.compose.groups import read_group
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.plain_yaml import read_yaml
from ptx.hooks.host import Host
from ptx.report.table.compare import difference_of
from ptx.report.table.row import Row
from ptx.stats import FEWEST

Verdict = Literal["holds", "fails", "undecided"]

#: the violation of a constraint that could not be measured, and the least one of a constraint that does not
#: hold; both are positive, so that a search does not take them for a pass
UNKNOWN, UNSURE = 1.0, 1e-6


@dataclass(frozen=True)
class Constraint:
    """A bound on a metric, or on its difference from the baseline's."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None
    segment: str = ""  # such as skill=addition; empty: all items
    versus: str = ""  # "baseline": the bound is on candidate minus baseline
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
            + (" minus baseline" if self.versus else "")
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
            parts.append(f"measured {self.value:.4g} [{self.low:.4g}, {self.high:.4g}]")
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


def ships(findings: Sequence[Finding]) -> bool:
    """Whether every constraint holds."""
    return bool(findings) and all(finding.verdict == "holds" for finding in findings)


def _judge_one(name: str, constraint: Constraint, row: Row) -> Finding:
    measured, note = _measured(constraint, row)
    if measured is None:
        return Finding(name, "undecided", constraint, note=note)
    value, low, high = measured
    ends = (value, value) if constraint.decide == "value" else (low, high)
    passed = [
        end >= constraint.bound if constraint.at_least is not None else end <= constraint.bound
        for end in ends
    ]
    if all(passed):
        return Finding(name, "holds", constraint, value, low, high)
    if not any(passed):
        return Finding(name, "fails", constraint, value, low, high)
    few = math.isinf(low) and math.isinf(high)
    note = f"too few items to say ({FEWEST} are the least)" if few else "the interval contains the bound"
    return Finding(name, "undecided", constraint, value, low, high, note)


def _measured(constraint: Constraint, row: Row) -> tuple[tuple[float, float, float] | None, str]:
    """((value, low, high), "") of what the constraint bounds, or (None, the reason why it is not known)."""
    metric = row.metric(constraint.metric, constraint.segment)
    if metric is None:
        unknown = row.metrics.get((constraint.metric, constraint.segment))
        if unknown is not None and unknown.note:
            return None, unknown.note
        known = [name for name, segment in row.metrics if segment == constraint.segment]
        hint = did_you_mean(constraint.metric, known)
        return None, f"not measured{f'; {hint}' if hint.startswith('did') else ''}"
    if not constraint.versus:
        return (metric.value, metric.low, metric.high), ""
    if row.reference is None:
        return None, "there is no finished baseline to compare with"
    found = difference_of(row, row.reference, (constraint.metric, constraint.segment))
    if found is None or math.isnan(found.difference.value):
        return None, "the baseline does not have this metric"
    gap = found.difference
    return (gap.value, *((-math.inf, math.inf) if gap.too_few else (gap.low, gap.high))), ""


@dataclass
class _GateReader:
    """Checks the constraints of a gate's YAML and collects the problems."""

    where: str
    problems: list[Problem] = field(default_factory=list)

    def constraint(self, name: str, given: Any) -> Constraint | None:
        at = f"{self.where}.{name}"
        if not isinstance(given, Mapping):
            self.problems.append(
                Problem(f"{at} must be a mapping, got {given!r}", "write {metric: bench/mean, at_least: 0.5}")
            )
            return None
        known = [one.name for one in dataclasses.fields(Constraint)]
        before = len(self.problems)
        self.problems += [
            Problem(f"{at} has no field {key!r}", did_you_mean(str(key), known))
            for key in given
            if key not in known
        ]
        if not given.get("metric"):
            self.problems.append(
                Problem(
                    f"{at} names no metric",
                    "add metric: bench/mean; `ptx runs show` lists what a run measured",
                )
            )
        bounds = {
            key: self._number(at, key, given[key])
            for key in ("at_least", "at_most")
            if given.get(key) is not None
        }
        if len(bounds) != 1:
            self.problems.append(
                Problem(
                    f"{at} needs one bound, got {len(bounds)}",
                    "give either at_least: NUMBER or at_most: NUMBER",
                )
            )
        for key, allowed in (("versus", ("", "baseline")), ("decide", ("interval", "value"))):
            if given.get(key, allowed[0]) not in allowed:
                self.problems.append(
                    Problem(
                        f"{at}.{key} is {given[key]!r}", f"it can be {' or '.join(filter(None, allowed))}"
                    )
                )
        return None if len(self.problems) > before else Constraint(**{**given, **bounds})

    def _number(self, at: str, key: str, value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            self.problems.append(Problem(f"{at}.{key} must be a number, got {value!r}", f"try {key}: 0.5"))
        return number


def make_gate(name: str, given: Any) -> Gate:
    """A gate from plain data.

    Raises:
        ConfigError: with everything that is wrong with the data.
    """
    reader = _GateReader(f"gate {name}")
    if not isinstance(given, Mapping) or not given:
        raise ConfigError(
            Problem(f"gate {name} holds no constraints", "write NAME: {metric: bench/mean, at_least: 0.5}")
        )
    made = {str(key): reader.constraint(str(key), value) for key, value in given.items()}
    if reader.problems:
        raise ConfigError(reader.problems)
    return Gate(name, {key: constraint for key, constraint in made.items() if constraint is not None})


def load_gate(
    host: Host, value: Any, changes: Mapping[str, Any] | None = None, config_dir: str | None = None
) -> Gate:
    """The gate that ``gate=value`` names: a choice (conf/gate/NAME.yaml), a YAML file, or a mapping.

    ``changes`` override fields by dotted name: ``{"p95.at_most": 1.5}``.

    Raises:
        ConfigError: the gate does not exist, is not YAML, or is wrong.
    """
    if isinstance(value, Mapping):
        name, given = "inline", dict(value)
    elif str(value).endswith((".yaml", ".yml")):
        name, given = Path(str(value)).stem, _read(Path(str(value)).expanduser())
    else:
        name, given = str(value), read_group(host, "gate", str(value), config_dir)
    given = {key: dict(one) if isinstance(one, Mapping) else one for key, one in given.items()}
    problems = []
    for key, new in (changes or {}).items():
        constraint, _, last = key.partition(".")
        if not last or not isinstance(given.get(constraint), dict):
            problems.append(
                Problem(
                    f"gate {name} has no constraint {constraint!r}", did_you_mean(constraint, sorted(given))
                )
            )
        else:
            given[constraint][last] = new
    if problems:
        raise ConfigError(problems)
    return make_gate(name, given)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = read_yaml(path)
    except FileNotFoundError as error:
        raise ConfigError(
            Problem(f"no gate file {path}", "a gate of conf/gate is named without .yaml: gate=ship")
        ) from error
    return found if isinstance(found, dict) else {}
