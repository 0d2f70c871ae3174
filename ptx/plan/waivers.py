"""Findings that the user allows by their names: ``check.allow=[NAME]``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ptx.data.findings.catalogue import CATALOGUE, waivable
from ptx.errors import Problem, did_you_mean


def without(findings: Iterable[Problem], allow: Sequence[str]) -> list[Problem]:
    """The findings that are not allowed."""
    return [one for one in findings if one.name not in allow or not waivable(one.name)]


def waiver_problems(allow: Sequence[str]) -> list[Problem]:
    """The names that no finding has, and those of findings that nobody can allow."""
    unknown = [
        Problem(f"check.allow: no finding is called {name!r}", did_you_mean(name, [*CATALOGUE]))
        for name in allow
        if name not in CATALOGUE
    ]
    final = [
        Problem(
            f"check.allow: {name} cannot be allowed, because {CATALOGUE[name].why}",
            "data.bad=drop leaves such rows out",
        )
        for name in allow
        if name in CATALOGUE and not waivable(name)
    ]
    return [*unknown, *final]
