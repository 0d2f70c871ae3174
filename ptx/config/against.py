"""Finds the run that ``against='compress=[] runtime=hf'`` names: a report compares all others with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ptx.errors import ConfigError, Problem

LISTED = 6  # runs that an error lists


@dataclass(frozen=True)
class Named:
    """The names of a run: its varied values, its label, its ids."""

    varied: Mapping[str, str]
    label: str
    ids: Sequence[str] = ()


def find(text: str, runs: Sequence[Named], option: str = "against=") -> int:
    """The position of the run that ``text`` names: by label, by id, or by varied values that it alone has.

    ``option`` is what the text was given to, for errors.

    Raises:
        ConfigError: when it names no run, or several.
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
    listed = "; ".join(shown[:LISTED])
    listed += f"; and {len(shown) - LISTED} more" if len(shown) > LISTED else ""
    if found:
        raise ConfigError(
            Problem(
                f"{option}{text!r} means {len(found)} runs",
                f"name more of the choices; it can be any of: {listed}",
            )
        )
    raise ConfigError(
        Problem(f"{option}{text!r} is none of the runs", f"name one by its choices, label or id: {listed}")
    )
