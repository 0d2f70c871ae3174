"""What a report shows, as a file: the metrics, the axes, the gates and the parts of the page.

A definition is a YAML choice of conf/report, or a file::

    title: Release candidates
    headline: bench/mean                      # the quality that the report leads with
    metrics: [safety/*, latency/p95_seconds]  # the columns that the table shows first, in this order
    axes: [latency/p95_seconds]               # what the headline is drawn against, and what makes the front
    gates: [ship]                             # a model ships if it keeps all of them
    sections: [table, explorer, samples]      # the parts of report.html after the first screen

Every field may be left out. All rows and metrics stay in the table's column chooser, report.csv and
report.json, whatever a definition shows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.plain_yaml import read_yaml
from ptx.hooks.host import Host
from ptx.report.formats.html import PARTS
from ptx.report.gate import MISSPELT, Gate
from ptx.report.gate_reader import load_gate
from ptx.report.table.frame import Frame

EXAMPLES = {
    "title": "title: Release candidates",
    "headline": "headline: bench/mean",
    "metrics": "metrics: [bench/mean, size/bytes_on_disk]",
    "axes": "axes: [latency/request_ratio, size/bytes_on_disk]",
    "gates": "gates: [ship]",
    "sections": "sections: [table, explorer]",
}
MOST_AXES = 4


@dataclass(frozen=True)
class Definition:
    """What a report shows; what is empty is as without a definition."""

    name: str = ""
    title: str = ""
    headline: str = ""
    metrics: list[str] = field(default_factory=list)
    axes: list[str] = field(default_factory=list)
    gates: list[Any] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    gate: Gate | None = None  # the gates as one

    def apply(self, frame: Frame) -> list[str]:
        """Make the frame show what the definition asks for; returns the metrics that no run has measured.

        Raises:
            ConfigError: the headline was not measured, or another name is a misspelt one.
        """
        problems: list[Problem] = []
        missing: list[str] = []

        def found(at: str, pattern: str) -> list[str]:
            names = [name for name in frame.names if fnmatchcase(name, pattern)]
            if names:
                return names
            if at == "headline" or get_close_matches(pattern, frame.names, cutoff=MISSPELT):
                hint = did_you_mean(pattern, frame.names)
                problems.append(Problem(f"report {self.name}.{at}: no run has {pattern!r}", hint))
            else:
                missing.append(pattern)
            return []

        headline = found("headline", self.headline) if self.headline else []
        columns = [name for pattern in self.metrics for name in found("metrics", pattern)]
        axes = [name for pattern in self.axes for name in found("axes", pattern)]
        if problems:
            raise ConfigError(problems)
        frame.headline = headline[0] if headline else frame.headline
        frame.chosen_columns = list(dict.fromkeys(columns))
        frame.chosen_axes = [name for name in dict.fromkeys(axes) if name != frame.headline][:MOST_AXES]
        return list(dict.fromkeys(missing))


def load_definition(host: Host, value: Any) -> Definition:
    """The definition that ``value`` names: a choice (conf/report/NAME.yaml), a YAML file, or a mapping.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    if isinstance(value, Mapping):
        return make_definition(host, "inline", value)
    text = str(value)
    if text.endswith((".yaml", ".yml")):
        return make_definition(host, Path(text).stem, _read(Path(text).expanduser()))
    from ptx.compose.groups import read_group  # Hydra, which a report without a named choice does not need

    return make_definition(host, text, read_group(host, "report", text))


def make_definition(host: Host, name: str, given: Any) -> Definition:
    """A definition from plain data.

    Raises:
        ConfigError: with everything that is wrong with the data.
    """
    at = f"report {name}"
    if not isinstance(given, Mapping) or not given:
        what = f"is a {type(given).__name__}, not fields with values" if given else "says nothing"
        raise ConfigError(Problem(f"{at} {what}", f"write {EXAMPLES['metrics']}"))
    problems = [
        Problem(f"{at} has no field {str(key)!r}", did_you_mean(str(key), list(EXAMPLES)))
        for key in given
        if key not in EXAMPLES
    ]
    problems += [
        Problem(f"{at}.{key} is {given[key]!r:.60}", f"write {EXAMPLES[key]}")
        for key in EXAMPLES
        if key in given and not _fits(key, given[key])
    ]
    known = [part for part, _ in PARTS]
    for part in _list(given.get("sections")):
        if isinstance(part, str) and part not in known:
            problems.append(Problem(f"{at}.sections: no part {part!r}", did_you_mean(part, known)))
    gates: list[Gate] = []
    for one in _list(given.get("gates")):
        try:
            gates.append(load_gate(host, one))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    kept = {key: given[key] for key in EXAMPLES if given.get(key) is not None}
    return dataclasses.replace(Definition(name, **kept), gate=as_one(gates))


def as_one(gates: Sequence[Gate]) -> Gate | None:
    """All constraints of several gates; those of one name get the name of their gate before it."""
    if len(gates) < 2:
        return gates[0] if gates else None
    names = [name for gate in gates for name in gate.constraints]
    return Gate(
        " and ".join(gate.name for gate in gates),
        {
            name if names.count(name) == 1 else f"{gate.name}.{name}": constraint
            for gate in gates
            for name, constraint in gate.constraints.items()
        },
    )


def _fits(key: str, value: Any) -> bool:
    """Whether a field's value has its type; null is as if the field were not there."""
    if value is None:
        return True
    if key in ("title", "headline"):
        return isinstance(value, str) and bool(value.strip())
    if key == "gates":
        return isinstance(value, list) and all(isinstance(one, str | Mapping) for one in value)
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _read(path: Path) -> Any:
    try:
        return read_yaml(path)
    except FileNotFoundError as error:
        fix = "a definition of conf/report is named without .yaml: --definition release"
        raise ConfigError(Problem(f"no report definition {path}", fix)) from error
