"""What ``ptx check`` tells: lines as they come, each finding once, and all of it as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptx.data.findings.catalogue import CATALOGUE
from ptx.errors import Problem
from ptx.plan.waivers import without


class Told:
    """Prints lines and notes (unless ``quiet``), and keeps the ``problems``.

    Findings in ``allow`` are left out.
    """

    def __init__(self, allow: Sequence[str], *, quiet: bool = False) -> None:
        self.allow, self.quiet = allow, quiet
        self.problems: list[Problem] = []
        self._notes: dict[Problem, None] = {}
        self._facts: dict[str, Any] = {}

    def say(self, line: str) -> None:
        """Print a line."""
        if not self.quiet:
            print(line)

    def fact(self, name: str, value: Any) -> None:
        """Keep a fact for the JSON; facts of one name are put together."""
        held = self._facts.get(name)
        self._facts[name] = {**held, **value} if isinstance(held, dict) else value

    def found(self, findings: Sequence[Problem], *, stops: bool = False) -> bool:
        """Tell findings, without those that are allowed; whether there are any.

        Shapes that follow from each other share most findings: what was told is not told again.
        """
        left = without(findings, self.allow)
        for one in left:
            if stops:
                self.problems += [one] if one not in self.problems else []
            elif one not in self._notes:
                self._notes[one] = None
                for line in lines_of(one):
                    self.say(line)
        return bool(left)

    def facts(self) -> dict[str, Any]:
        """Everything, for JSON."""
        findings = [*(as_data(one, stops=True) for one in self.problems), *map(as_data, self._notes)]
        return {"usable": not self.problems, **self._facts, "findings": findings, "allowed": [*self.allow]}


def lines_of(note: Problem) -> list[str]:
    """A note for the terminal: what and where, then what comes of it and what to do."""
    why = CATALOGUE[note.name].why if note.name in CATALOGUE else ""
    said = "; ".join(filter(None, (why, note.fix)))
    name = f"[{note.name}] " if note.name else ""
    return [f"    ! {name}{note.what}", *([f"        {said}"] if said else [])]


def as_data(finding: Problem, *, stops: bool = False) -> dict[str, Any]:
    """A finding as plain data."""
    kind = CATALOGUE.get(finding.name)
    return {
        "name": finding.name,
        "severity": "stops" if stops else "warns",
        "what": finding.what,
        "rows": finding.rows,
        "places": list(finding.places),
        "consequence": kind.why if kind else "",
        "fix": finding.fix,
        "waivable": bool(kind and not kind.final),
    }
