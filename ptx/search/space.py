"""The space of a search: what it varies, in Hydra's notation.

=================================  =====================================================================
``choice(0.05, 0.1)``, ``a,b``     one of the values, without an order: ``choice([], [sparsegpt])``
``interval(0.1, 0.5)``             a number between the ends
``tag(log, interval(1e-5, 1e-3))`` the same on a logarithmic scale
``int(interval(1, 8))``            a whole number between the ends, both included
``range(8, 64, 8)``                a number of the range, ordered; the end is left out, as in Python
=================================  =====================================================================

A field exists only together with its choice: ``compress.sparsegpt.sparsity`` is left out of a trial whose
``compress`` has no sparsegpt, and ``method.beta`` if the method has no beta. Such a space is a tree, not a
box; the samplers see only the fields that exist.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from ptx.compose.overrides import swept
from ptx.config import GROUPS, IN_METHOD
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.hooks.host import Host

#: a space with more points is treated as infinite
MOST_POINTS = 5_000

EXAMPLE = (
    "write choice(a,b), interval(0,1), tag(log, interval(1e-5,1e-3)), int(interval(1,8)) or range(8,64,8)"
)


@dataclass(frozen=True)
class Axis:
    """One key of the space: a list of values, or the numbers between two ends."""

    key: str
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False

    @property
    def group(self) -> str:
        """The config group that the key belongs to."""
        return self.key.partition(".")[0]

    def suggest(self, trial: Any) -> str:
        """Ask an Optuna trial for a value; returns it as text for ``key=text``."""
        if self.values:
            return str(trial.suggest_categorical(self.key, self.values))
        if self.whole:
            return str(
                trial.suggest_int(
                    self.key, int(self.low), int(self.high), step=int(self.step or 1), log=self.log
                )
            )
        return self.text(trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log))

    def text(self, number: float) -> str:
        """Return a number with four significant digits, not outside the ends, as a person types it."""
        return (
            str(int(number)) if self.whole else f"{min(max(float(f'{number:.4g}'), self.low), self.high):g}"
        )

    def all_values(self) -> list[str] | None:
        """Return every value; None if there are infinitely many, or more than MOST_POINTS."""
        if self.values:
            return list(self.values)
        step = self.step or (1 if self.whole else None)
        if step is None or (self.high - self.low) / step > MOST_POINTS:
            return None
        return [
            self.text(self.low + index * step) for index in range(round((self.high - self.low) / step) + 1)
        ]

    def edge_values(self) -> list[str]:
        """Return the values to check before a search starts: all of a choice, both ends of an interval."""
        return list(self.values) or [self.text(self.low), self.text(self.high)]


@dataclass(frozen=True)
class Space:
    """All axes: groups first and fields after them, because a chosen group decides which fields exist."""

    axes: tuple[Axis, ...]
    fields: Mapping[tuple[str, str], tuple[str, ...]]  # (group, choice) -> its fields

    def suggest(self, trial: Any) -> dict[str, str]:
        """Ask an Optuna trial for a point; returns key -> text."""
        chosen: dict[str, str] = {}
        for axis in self.axes:
            if self.applies(axis, chosen):
                chosen[axis.key] = axis.suggest(trial)
        return chosen

    def applies(self, axis: Axis, chosen: Mapping[str, str]) -> bool:
        """Whether the key of ``axis`` exists together with the choices made so far."""
        parts = axis.key.split(".")
        if parts[0] == "method" and parts[1:2] and parts[1] in IN_METHOD and parts[1] in chosen:
            return chosen[parts[1]] not in ("none", "null")
        if len(parts) < 2 or parts[0] not in chosen:
            return True
        if GROUPS.get(parts[0], (None, False))[1]:
            return parts[1] in _items(chosen[parts[0]])
        known = self.fields.get((parts[0], chosen[parts[0]]))
        return known is None or parts[1] in known

    def points(self) -> list[dict[str, str]] | None:
        """Return every point; None if there are infinitely many, or more than MOST_POINTS."""
        listed = [axis.all_values() for axis in self.axes]
        if (
            any(values is None for values in listed)
            or math.prod(len(values or ()) for values in listed) > MOST_POINTS
        ):
            return None
        return self._distinct(itertools.product(*(values or [] for values in listed)))

    def corners(self, most: int) -> list[dict[str, str]]:
        """Return points that together hold every value of a choice and both ends of every interval.

        They are checked before the first trial. ``most`` limits the combinations of groups.
        """
        groups = [axis.edge_values() for axis in self.axes if "." not in axis.key]
        others = [axis.edge_values() for axis in self.axes if "." in axis.key]
        rounds = max((len(values) for values in others), default=1)
        rows = (
            [*combination, *(values[index % len(values)] for values in others)]
            for combination in itertools.islice(itertools.product(*groups), most)
            for index in range(rounds)
        )
        return self._distinct(rows)

    def _distinct(self, rows: Iterable[Sequence[str]]) -> list[dict[str, str]]:
        found: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        for row in rows:
            chosen: dict[str, str] = {}
            for axis, value in zip(self.axes, row, strict=True):
                if self.applies(axis, chosen):
                    chosen[axis.key] = value
            found.setdefault(tuple(chosen.items()), chosen)
        return list(found.values())


def make_space(host: Host, given: Mapping[str, Any]) -> Space:
    """Return the space that a sweep file describes.

    Raises:
        ConfigError: with everything that is wrong.
    """
    problems: list[Problem] = []
    axes = []
    for key, spec in given.items():
        try:
            axes.append(_axis(str(key), spec))
        except ConfigError as error:
            problems += error.problems
    axes.sort(key=lambda axis: "." in axis.key)
    fields = {
        of: tuple(f.name for f in dataclasses.fields(choice.config_type))
        for of, choice in host.choices.items()
    }
    space = Space(tuple(axes), fields)
    problems += [problem for axis in axes if (problem := _unused_field(space, axis))]
    if problems:
        raise ConfigError(problems)
    return space


def _unused_field(space: Space, axis: Axis) -> Problem | None:
    """Return a problem if no value of its group has this field: it would silently never be searched."""
    group = next((other for other in space.axes if other.key == axis.group and other is not axis), None)
    if group is None or any(space.applies(axis, {group.key: value}) for value in group.values):
        return None
    field = axis.key.split(".")[1]
    if GROUPS[axis.group][1]:
        known = sorted({name for value in group.values for name in _items(value)})
        return Problem(
            f"search.space.{axis.key}: no value of {group.key} holds {field!r}", did_you_mean(field, known)
        )
    known = sorted({name for value in group.values for name in space.fields.get((axis.group, value), ())})
    return Problem(
        f"search.space.{axis.key}: no {axis.group} of the space has a field {field!r}",
        did_you_mean(field, known),
    )


def _items(text: str) -> list[str]:
    """``[a,b]`` -> a, b."""
    return [item.strip() for item in text.strip("[] ").split(",") if item.strip()]


def _axis(key: str, spec: Any) -> Axis:
    where = f"search.space.{key}"
    text = ",".join(map(str, spec)) if isinstance(spec, list) else str(spec)
    try:
        override: Override = OverridesParser.create().parse_override(f"{key}={text}")
        value = override.value()
    except HydraException as error:
        raise ConfigError(
            Problem(f"{where}: cannot read {text!r}: {str(error).splitlines()[0]}", EXAMPLE)
        ) from error
    log = "log" in getattr(value, "tags", ())
    if isinstance(value, ChoiceSweep):
        axis = Axis(key, tuple(dict.fromkeys(swept(override))))
    elif isinstance(value, RangeSweep):
        axis = _range(key, value, log=log)
    elif isinstance(value, IntervalSweep):
        low, high = value.start or 0, value.end or 0
        axis = Axis(key, low=low, high=high, log=log, whole=isinstance(low, int) and isinstance(high, int))
    else:
        raise ConfigError(Problem(f"{where}: {text!r} is one value", f"move it to overrides, or {EXAMPLE}"))
    return _checked(where, text, axis)


def _range(key: str, value: RangeSweep, *, log: bool) -> Axis:
    start, stop, step = value.start or 0, value.stop or 0, value.step or 1
    whole = all(isinstance(number, int) for number in (start, stop, step))
    count = math.ceil((stop - start) / step - 1e-9)
    return Axis(
        key,
        low=start,
        high=start + max(count - 1, -1) * step,
        step=None if log and step == 1 else step,
        log=log,
        whole=whole,
    )


def _checked(where: str, text: str, axis: Axis) -> Axis:
    problem = ""
    if axis.values and len(axis.values) < 2:
        problem = "holds one value; move it to overrides"
    elif not axis.values and not axis.low < axis.high:
        problem = "is empty; write the smaller end first"
    elif not axis.values and axis.log and axis.low <= 0:
        problem = "starts at or below zero, where there is no logarithmic scale; start above zero"
    elif not axis.values and axis.log and axis.step is not None:
        problem = "has a step and a logarithmic scale; leave one out"
    if problem:
        what, _, fix = problem.partition("; ")
        raise ConfigError(Problem(f"{where}: {text} {what}", fix))
    return axis


def text_of(chosen: Mapping[str, str] | Sequence[tuple[str, str]]) -> str:
    """``method.rate=0.1 compress=[halve]``."""
    return " ".join(f"{key}={value}" for key, value in dict(chosen).items()) or "the overrides as they are"
