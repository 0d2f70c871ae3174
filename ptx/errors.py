"""Errors that tell the user what to type next.

A :class:`Problem` is a sentence on what is wrong (with the value) and one on what would be right. Problems
that are found before the first step are raised together as a :class:`ConfigError` (exit code 2, nothing
written). A failure of a running step is a :class:`StepError` (exit code 1, recorded in the folder of the
run).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and how to correct it.

    ``fields`` are the settings that the text names, as they are typed where their choice stands alone
    (``method.beta``): in a recipe the same choice has another place, and :meth:`at` moves the text there. A
    finding on rows has a ``name`` (:mod:`ptx.data.findings.catalogue`), the number of its rows, and some
    ``places``.
    """

    what: str
    fix: str = ""
    fields: tuple[str, ...] = field(default=(), compare=False)
    name: str = field(default="", compare=False)
    rows: int = field(default=0, compare=False)
    places: tuple[str, ...] = field(default=(), compare=False)

    def at(self, place: str) -> Problem:
        """The problem of a method or compressor that stands at ``place``, such as ``recipe.steps.sft``."""
        what, fix, fields = self.what, self.fix, []
        for name in sorted(self.fields, key=len, reverse=True):
            group, *words = name.split(".")
            moved = name
            if group in ("method", "compress"):
                moved = ".".join([place, *(words[1:] if group == "compress" else words)])
            what, fix = what.replace(name, moved), fix.replace(name, moved)
            fields.append(moved)
        return replace(self, what=what, fix=fix, fields=tuple(fields))

    def __str__(self) -> str:
        return f"{self.what}; {self.fix}" if self.fix else self.what


class PtxError(Exception):
    """Base class of the errors that are shown to the user as text, without a traceback."""

    exit_code = 1


class ConfigError(PtxError):
    """All problems of a command; raised before weights are loaded."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem] | Problem | str) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        if isinstance(problems, Problem):
            problems = [problems]
        self.problems: tuple[Problem, ...] = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SettingError(ValueError):
    """A setting that a configuration class refuses; raised by its ``__post_init__``.

    ``fields`` are the settings that the message names (:class:`Problem`).
    """

    def __init__(self, message: str, *fields: str) -> None:
        super().__init__(message)
        what, _, fix = message.partition("; ")
        self.problem = Problem(what, fix, fields)


class StepError(PtxError):
    """A step or evaluation that cannot give a usable result (loss not finite, all rewards equal, ...)."""


class MemoryFullError(StepError):
    """A step needs more memory than there is; its checkpoints hold what it has done.

    The core starts the step again where its configuration can do with less (``smaller``).
    """


class StoppedError(PtxError):
    """A run that was ended on purpose (early stopping): nothing failed; the running step is discarded."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """``did you mean 'dpo'?``: the closest known words; when none is close, the list of all."""
    import difflib  # late: only mistakes need it

    close = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    if close:
        likeness = {name: difflib.SequenceMatcher(None, name, word).ratio() for name in close}
        best = sorted(name for name in close if likeness[name] == max(likeness.values()))
        return f"did you mean {' or '.join(map(repr, best))}?"
    return f"known: {', '.join(known)}" if known else "there is none"


def counted(count: int, what: str, one: str = "", many: str = "") -> str:
    """A number of things, with the verb that fits it: ``1 row``, ``2 rows``; ``1 row is``, ``2 rows are``."""
    verb = one if count == 1 else many
    return f"{count} {what}{'s' * (count != 1)}{' ' * bool(verb)}{verb}"


def must_be_one_of(where: str, value: object, allowed: Sequence[object], instead: object) -> None:
    """Refuse the value of the setting ``where`` unless it is one of ``allowed``.

    Raises:
        SettingError: with the allowed values (an empty one is not listed), and ``instead`` as what to try.
    """
    if value not in allowed:
        listed = ", ".join(str(one) for one in allowed if one != "")
        raise SettingError(f"{where} must be one of {listed}, got {value!r}; try {where}={instead}", where)


def must_be_at_least(where: str, value: float | None, least: float, instead: object) -> None:
    """Refuse a number for the setting ``where`` that is below ``least`` or nan; None passes.

    Raises:
        SettingError: with ``instead`` as what to try.
    """
    if value is not None and not value >= least:
        raise SettingError(f"{where} must be at least {least:g}, got {value}; try {where}={instead}", where)


def must_be_more_than(where: str, value: float, bound: float, instead: object) -> None:
    """Refuse a number for the setting ``where`` that is not above ``bound``.

    Raises:
        SettingError: with ``instead`` as what to try.
    """
    if not value > bound:
        raise SettingError(f"{where} must be more than {bound:g}, got {value}; try {where}={instead}", where)
