"""Which run is meant by ``compress=[] runtime=hf``: the one that a report compares the others with, where
that is not the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ptx.errors import ConfigError, Problem

MANY = 6


@dataclass(frozen=True)
class Named:
    """A run by all its names: what was swept, its label, its id."""

    varied: Mapping[str, str]
    label: str
    ids: Sequence[str] = ()


def find(text: str, runs: Sequence[Named]) -> int:
    """The position of the one run that ``text`` names: by label, by id, or by choices that no other run has
    all of.

    Raises:
        ConfigError: none or several do.
    """
    exact = [place for place, run in enumerate(runs) if text in (run.label, *run.ids)]
    choices = dict(word.partition("=")[::2] for word in text.split())
    found = exact or [
        place
        for place, run in enumerate(runs)
        if all(run.varied.get(key) == value for key, value in choices.items())
    ]
    if len(found) == 1:
        return found[0]
    shown = [runs[place].label for place in found] or [run.label for run in runs]
    listed = "; ".join(shown[:MANY]) + (f"; and {len(shown) - MANY} more" if len(shown) > MANY else "")
    if found:
        raise ConfigError(
            Problem(
                f"against={text!r} means {len(found)} runs",
                f"name more of the choices; it can be any of: {listed}",
            )
        )
    raise ConfigError(
        Problem(f"against={text!r} is none of the runs", f"name one by its choices, label or id: {listed}")
    )
