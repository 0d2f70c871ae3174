"""Gates as files: the YAML of a choice, a file or a mapping becomes a :class:`~ptx.report.gate.Gate`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.plain_yaml import read_yaml
from ptx.hooks.host import Host
from ptx.report.gate import Constraint, Gate


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
        if not isinstance(given.get("metric"), str) or not given["metric"]:
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
        for key, allowed in (("versus", ("", "baseline", "ratio")), ("decide", ("interval", "value"))):
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
        except (TypeError, ValueError, OverflowError):
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
        from ptx.compose.groups import read_group  # Hydra, which a report without a named gate does not need

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
