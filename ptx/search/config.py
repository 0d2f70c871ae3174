"""Reads and checks the ``search:`` part of a sweep file; all problems are reported together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from ptx.config import NEUTRAL
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.hooks.host import Host
from ptx.records import Better
from ptx.report.gate import Gate
from ptx.report.gate_reader import load_gate
from ptx.search.space import Space, make_space

#: name of a sampler in a sweep file -> what it suits
SAMPLERS = {
    "tpe": "tree of Parzen estimators: the default, any space, one or several objectives",
    "gp": "Gaussian process: few, expensive trials over numbers",
    "nsga2": "genetic, several objectives, many cheap trials",
    "nsga3": "genetic, more than three objectives",
    "random": "random points, to compare the others with",
}
MOST = 2**63  # a whole number beyond it is none that a library holds
DIRECTIONS: dict[str, Better] = {"maximize": "higher", "minimize": "lower"}


@dataclass(frozen=True)
class Halving:
    """Successive halving: a trial that lags at a rung is stopped (see :mod:`ptx.search.halving`)."""

    metric: str
    goal: str = "minimize"
    first: int = 1  # the step of the first rung
    factor: int = 3  # ratio of one rung to the one before it; 1/factor of the trials pass a rung


@dataclass(frozen=True)
class SearchConfig:
    """The settings of a search."""

    space: Space
    objectives: dict[str, str]  # metric -> maximize or minimize
    trials: int
    sampler: str = "tpe"
    seed: int = 0
    seeds: tuple[int, ...] = ()
    gate: Gate | None = None
    early_stopping: Halving | None = None
    startup: int = 10  # random trials before the sampler's model is used
    population: int = 0  # of nsga2 and nsga3; 0: a fifth of the trials, at least 8
    definition: dict[str, Any] = field(default_factory=dict)  # what must stay when the search is continued

    @property
    def directions(self) -> list[Better]:
        """For each objective, whether higher or lower is better."""
        return [DIRECTIONS[direction] for direction in self.objectives.values()]


#: fields that may change when a search is continued
CHANGEABLE = ("trials", "sampler", "startup", "population", "early_stopping")


def read_search(host: Host, given: Any, fixed: list[str], config_dir: str | None = None) -> SearchConfig:
    """Return the search of a sweep file; ``given`` is its ``search:`` part and ``fixed`` are its overrides.

    Raises:
        ConfigError: with everything that is wrong.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(
            Problem(f"search must be a mapping, got {given!r}", "`ptx sweep --help` shows an example")
        )
    reader = _Reader(host, dict(given), fixed, config_dir)
    config = reader.read()
    if config is None or reader.problems:
        raise ConfigError(reader.problems)
    kept = {key: value for key, value in given.items() if key not in CHANGEABLE}
    if config.gate:  # its content, not its name: if a bound changes, other trials pass
        kept["gate"] = {
            name: dataclasses.asdict(constraint) for name, constraint in config.gate.constraints.items()
        }
    words = sorted(word for word in fixed if word.partition("=")[0] not in NEUTRAL)
    return dataclasses.replace(config, definition={**kept, "overrides": words})


@dataclass
class _Reader:
    host: Host
    given: dict[str, Any]
    fixed: list[str]
    config_dir: str | None
    problems: list[Problem] = field(default_factory=list)

    def read(self) -> SearchConfig | None:
        """Return the configuration; None if something is wrong, which is then in ``problems``."""
        known = [one.name for one in dataclasses.fields(SearchConfig) if one.name != "definition"]
        self.problems += [
            Problem(f"search has no field {key!r}", did_you_mean(str(key), known))
            for key in self.given
            if key not in known
        ]
        space, gate = self._space(), self._gate()
        objectives, seeds = self._objectives(), self._seeds()
        sampler = self.given.get("sampler", "tpe")
        if str(sampler) not in SAMPLERS:
            hint = (
                "a grid needs no search: write key=a,b in overrides"
                if sampler == "grid"
                else did_you_mean(str(sampler), list(SAMPLERS))
            )
            self.problems.append(Problem(f"no sampler {sampler!r}", hint))
        trials = self._whole("trials", 1, required=True)
        numbers: dict[str, Any] = {
            name: self._whole(name, 0, default)
            for name, default in (("seed", 0), ("startup", 10), ("population", 0))
        }
        halving = self._halving()
        self._contradictions(space)
        if self.problems or space is None:
            return None
        return SearchConfig(
            space, objectives, trials, str(sampler), seeds=seeds, gate=gate, early_stopping=halving, **numbers
        )

    def _contradictions(self, space: Space | None) -> None:
        """Find keys that are given twice: a key is searched, repeated (seeds) or fixed, never two of them."""
        searched = {axis.key for axis in space.axes} if space else set()
        fixed = {word.partition("=")[0]: word for word in self.fixed}
        if "seed" in searched:
            self.problems.append(
                Problem(
                    "search.space.seed: a seed is chance and must not be searched", "list seeds: [0, 1, 2]"
                )
            )
        if "seed" in fixed and self.given.get("seeds"):
            self.problems.append(
                Problem(f"search.seeds and {fixed['seed']!r} are both given", "leave one out")
            )
        for key in sorted(searched & set(fixed)):
            self.problems.append(
                Problem(f"{key} is searched and also set by {fixed[key]!r}", "leave one out")
            )
        for word in self.fixed:
            try:
                sweeps = OverridesParser.create().parse_override(word).is_sweep_override()
            except HydraException as error:
                what = f"cannot read {word!r:.80}: {str(error).splitlines()[0]}"
                self.problems.append(Problem(what, "write key=value"))
                continue
            if sweeps:
                key, _, values = word.partition("=")
                self.problems.append(
                    Problem(
                        f"{word!r} names several values",
                        f"search them, search.space: {key}: choice({values})",
                    )
                )
        if fixed.get("workers", "workers=0") != "workers=0":
            self.problems.append(
                Problem(
                    "a search runs its trials one after the other and uses no workers", "leave out workers"
                )
            )
        if "cluster" in fixed:
            self.problems.append(Problem("a search runs its trials on this machine", "leave out cluster"))

    def _space(self) -> Space | None:
        given = self.given.get("space")
        if not isinstance(given, Mapping) or not given:
            self.problems.append(
                Problem(
                    f"search.space must name what is searched, got {given!r}",
                    "method.learning_rate: interval(1e-5,1e-3)",
                )
            )
            return None
        try:
            return make_space(self.host, given)
        except ConfigError as error:
            self.problems += error.problems
            return None

    def _gate(self) -> Gate | None:
        if self.given.get("gate") is None:
            return None
        try:
            return load_gate(self.host, self.given["gate"], config_dir=self.config_dir)
        except ConfigError as error:
            self.problems += error.problems
            return None

    def _objectives(self) -> dict[str, str]:
        given = self.given.get("objectives")
        if not isinstance(given, Mapping) or not given:
            self.problems.append(
                Problem(f"search.objectives must name metrics, got {given!r}", "bench/mean: maximize")
            )
            return {}
        for name, direction in given.items():
            if str(direction) not in DIRECTIONS:
                hint = did_you_mean(str(direction), list(DIRECTIONS))
                self.problems.append(Problem(f"search.objectives.{name} is {direction!r}", hint))
        return {str(name): str(direction) for name, direction in given.items()}

    def _seeds(self) -> tuple[int, ...]:
        given = self.given.get("seeds", [])
        if (
            not isinstance(given, list)
            or not all(_is_whole(seed) for seed in given)
            or len(set(given)) < len(given)
        ):
            self.problems.append(
                Problem(
                    f"search.seeds must be a list of different whole numbers, got {given!r}",
                    "seeds: [0, 1, 2]",
                )
            )
            return ()
        return tuple(given)

    def _whole(self, name: str, least: int, default: int = 0, *, required: bool = False) -> int:
        value = self.given.get(name, default)
        if (required and name not in self.given) or not _is_whole(value) or value < least:
            got = repr(value) if name in self.given else "nothing"
            self.problems.append(
                Problem(
                    f"search.{name} must be a whole number of at least {least}, got {got}",
                    f"{name}: {max(least, 20)}",
                )
            )
            return least
        return int(value)

    def _halving(self) -> Halving | None:
        given, where = self.given.get("early_stopping"), "search.early_stopping"
        if given is None:
            return None
        known = [one.name for one in dataclasses.fields(Halving)]
        before = len(self.problems)
        if not isinstance(given, Mapping) or not given.get("metric"):
            self.problems.append(
                Problem(f"{where} names no metric", "early_stopping: {metric: loss, first: 20, factor: 3}")
            )
            return None
        self.problems += [
            Problem(f"{where} has no field {key!r}", did_you_mean(str(key), known))
            for key in given
            if key not in known
        ]
        if str(given.get("goal", "minimize")) not in DIRECTIONS:
            self.problems.append(
                Problem(
                    f"{where}.goal is {given['goal']!r}", did_you_mean(str(given["goal"]), list(DIRECTIONS))
                )
            )
        for name, least in (("first", 1), ("factor", 2)):
            if not _is_whole(given.get(name, least)) or given.get(name, least) < least:
                self.problems.append(
                    Problem(f"{where}.{name} must be a whole number of at least {least}, got {given[name]!r}")
                )
        return None if len(self.problems) > before else Halving(**given)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST
