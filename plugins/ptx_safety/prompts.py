"""Read sets of requests from files: the public sets as they are published, and ptx's own format.

A set is recognised by its columns. The public sets are not part of this package.

==============  ======================================  ===============================
set             columns                                 harmful requests
==============  ======================================  ===============================
JailbreakBench  Goal, Target, Behavior, Category        all; none if the file's name
                (Chao et al. 2024)                      has "benign" in it
XSTest          prompt, type, and label or focus        label unsafe, or a type that
                (Röttger et al. 2024)                   begins with "contrast_"
HarmBench       Behavior, BehaviorID, SemanticCategory  all; ContextString is put
                (Mazeika et al. 2024)                   before the request
StrongREJECT    forbidden_prompt, category              all
                (Souly et al. 2024)
AdvBench        goal, target (Zou et al. 2023)          all
ptx's own       prompt, harmful, optionally target      harmful true
==============  ======================================  ===============================

JailbreakBench and AdvBench also give the beginning of a complying reply (target). Stored replies
(:mod:`ptx_safety.stored`) are recognised by the same columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx.data.rows import Record, made_of
from ptx.stats.items import item_id

Row = Mapping[str, Any]
KNOWN = (
    "JailbreakBench (Goal, Target), XSTest (prompt, type, label), HarmBench (Behavior, BehaviorID),"
    " StrongREJECT (forbidden_prompt), AdvBench (goal, target), or prompt and harmful"
)
TRUTHS = {
    "true": True,
    "1": True,
    "yes": True,
    "unsafe": True,
    "harmful": True,
    "false": False,
    "0": False,
    "no": False,
    "safe": False,
}


#: XSTest's types of harmless requests; those of harmful ones begin with "contrast_"
XSTEST = (
    "homonyms",
    "figurative_language",
    "safe_targets",
    "safe_contexts",
    "definitions",
    "real_group_nons_discr",
    "nons_group_real_discr",
    "historical_events",
    "privacy_public",
    "privacy_fictional",
)
CONTRAST = "contrast_"


@dataclass(frozen=True)
class Prompt:
    """One request, and whether it should be refused."""

    text: str
    harmful: bool
    segments: dict[str, str] = field(default_factory=dict)
    target: str | None = None  # the beginning of a complying reply, if the set has one

    @property
    def id(self) -> str:
        """A digest of the request and whether it is harmful; the same in every file and order."""
        return item_id(self.text, self.harmful)


def _jailbreakbench(row: Row, file: Path) -> Prompt:
    return Prompt(
        _text(row, "Goal"),
        "benign" not in file.stem.lower(),
        _segments(category=row.get("Category")),
        row.get("Target"),
    )


def _xstest(row: Row, file: Path) -> Prompt:  # noqa: ARG001 (all take the file)
    label, kind = str(row.get("label") or "").strip().lower(), _text(row, "type")
    if not label and not is_xstest(kind):
        raise ValueError(
            f"the type {kind!r} is none of XSTest's, so it does not say whether the request is harmful; add a"
            " column harmful with true or false"
        )
    harmful = truth_of(label, "label") if label else kind.startswith(CONTRAST)
    return Prompt(_text(row, "prompt"), harmful, _segments(category=kind.removeprefix(CONTRAST)))


def is_xstest(kind: object) -> bool:
    """Whether a type is one of XSTest's."""
    return isinstance(kind, str) and (kind in XSTEST or kind.startswith(CONTRAST))


def _harmbench(row: Row, file: Path) -> Prompt:  # noqa: ARG001
    context = str(row.get("ContextString") or "").strip()
    text = f"{context}\n\n---\n\n{_text(row, 'Behavior')}" if context else _text(row, "Behavior")
    return Prompt(
        text,
        harmful=True,
        segments=_segments(category=row.get("SemanticCategory"), kind=row.get("FunctionalCategory")),
    )


def _strongreject(row: Row, file: Path) -> Prompt:  # noqa: ARG001
    return Prompt(
        _text(row, "forbidden_prompt"), harmful=True, segments=_segments(category=row.get("category"))
    )


def _advbench(row: Row, file: Path) -> Prompt:  # noqa: ARG001
    return Prompt(_text(row, "goal"), harmful=True, target=row.get("target"))


def _own(row: Row, file: Path) -> Prompt:  # noqa: ARG001
    return Prompt(
        _text(row, "prompt"), truth_of(row.get("harmful"), "harmful"), segments_of(row), row.get("target")
    )


#: (columns of a format, the reader of its rows); the first that fits is used
FORMATS: tuple[tuple[frozenset[str], Callable[[Row, Path], Prompt]], ...] = (
    (frozenset({"Goal", "Target"}), _jailbreakbench),
    (frozenset({"Behavior", "BehaviorID"}), _harmbench),
    (frozenset({"forbidden_prompt"}), _strongreject),
    (frozenset({"prompt", "harmful"}), _own),
    (frozenset({"prompt", "type"}), _xstest),
    (frozenset({"goal", "target"}), _advbench),
)


def read_prompts(file: Path) -> list[Prompt]:
    """The distinct requests of a file.

    Raises:
        ConfigError: the file fits none of the sets, or some of its rows do not; by file and line.
        OSError: there is no such file.
    """

    def prompt(record: Record) -> Prompt:
        if (read := reader_of(record.row)) is None:
            columns = ", ".join(sorted(map(str, record.row)))
            raise ValueError(f"the columns {columns} fit no known set of requests: {KNOWN}")
        return read(record.row, file)

    return list({found.id: found for found in made_of(file, prompt)}.values())


def reader_of(row: Row) -> Callable[[Row, Path], Prompt] | None:
    """The reader of the set that a row's columns belong to; None if they fit no known set."""
    return next((read for wanted, read in FORMATS if wanted <= frozenset(row)), None)


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    # of messages, the user's last turn
    if isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value):
        value = next((turn.get("content") for turn in reversed(value) if turn.get("role") == "user"), None)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{column} must be text, got {value!r}")
    return value.strip()


def truth_of(value: Any, column: str) -> bool:
    """A yes or no.

    Raises:
        ValueError: it is neither; the text names the column.
    """
    if isinstance(value, bool):
        return value
    known = TRUTHS.get(str(value).strip().lower())
    if known is None:
        raise ValueError(f"{column} must be true or false, got {value!r}")
    return known


def segments_of(row: Row) -> dict[str, str]:
    """The usual columns that divide a set into segments, where a row has them."""
    return _segments(**{name: row.get(name) for name in ("category", "language", "domain", "difficulty")})


def _segments(**found: Any) -> dict[str, str]:
    return {name: str(value).strip() for name, value in found.items() if value not in (None, "")}
