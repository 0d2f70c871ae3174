"""An opened data choice: the shapes that it can give, and its rows in the shape that a step needs.

A file gives its native shape and the shapes that follow from it without a guess
(:data:`ptx.data.derive.DERIVATIONS`). A family gives the shape of each of its files, and the shapes that
follow from these where no file has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ptx.data.bad import BadRows
from ptx.data.derive import DERIVATIONS
from ptx.data.names import MESSAGE_KEYS, TEMPLATE_KEYS, USED
from ptx.data.records import Record, Row, Table, column_word
from ptx.data.shapes import COLUMNS, OTHER, SHAPES, Form, has_value
from ptx.data.turns import is_turns
from ptx.errors import ConfigError, Problem
from ptx.files import digest_of


@dataclass(frozen=True)
class Source:
    """The rows of one file in their native shape.

    ``only`` is the shape that the file is named after, where it belongs to a family.
    """

    table: Table
    form: Form
    records: list[Record]
    only: str = ""
    bad: BadRows = field(default_factory=BadRows)

    @property
    def native(self) -> str:
        """The shape of the rows without any derivation."""
        return self.only or self.form.shape

    @property
    def gives(self) -> list[str]:
        """The native shape, and the shapes that follow from it."""
        return [self.native, *(shape for shape, origins in DERIVATIONS.items() if self.form.shape in origins)]

    @cached_property
    def unused(self) -> list[str]:
        """The columns and keys of messages that no training reads."""
        rest = [column for column in self.table.columns if column not in self.form.used]
        rows = [record.row for record in self.table.records]
        columns = [column for column in rest if any(has_value(row.get(column)) for row in rows)]
        return [*columns, *(f"{key} of messages" for key in self._keys if key not in MESSAGE_KEYS)]

    @cached_property
    def _keys(self) -> list[str]:
        """The keys that messages have."""
        held = [name for name in COLUMNS.get(self.form.shape, ()) if name not in OTHER]
        values = [record.row.get(name) for record in self.records for name in held]
        return list(
            dict.fromkeys(key for turns in values if is_turns(turns) for turn in turns or () for key in turn)
        )

    def _untrained(self, shape: str) -> int:
        """The number of replies of conversations that the file takes out of training."""
        rows = [record.row for record in self.records] if shape == self.form.shape == "messages" else []
        return sum(turn.get("train") is False for row in rows for turn in row["messages"])

    def located(self, shape: str) -> list[Record]:
        """The canonical rows of ``shape``, each with its place in the file.

        Where bad rows are left out, those that are bad in this shape are too.
        """
        records = self.records
        if shape != self.form.shape:
            derive = DERIVATIONS[shape][self.form.shape]
            records = [
                Record(record.file, record.line, row) for record in records for row in derive(record.row)
            ]
        if not self.bad.drops:
            return records
        from ptx.data.rules import RULES, faults_of

        return self.bad.sift(records, faults_of(records, RULES[shape]), shape=shape)

    def describe(self, shape: str, count: int) -> str:
        """A sentence on how the rows of ``shape`` are made from the file."""
        steps = [] if self.form.canonical == len(self.form.parts) else [str(self.form)]
        steps += dict.fromkeys([self.form.shape, shape])
        notes = [*filter(None, (self.table.note, self.bad.note(shape)))]
        notes += [f"column {column} {USED[part]}" for part, column in self.form.beside.items()]
        if "history" in self.form.beside and shape == "messages":
            notes.append("replies in the history are trained too")
        if "context" in self.form.parts:
            notes.append(f"column {self.form.parts['context']} put below the prompt")
        if written := [key for key in TEMPLATE_KEYS if key in self._keys]:
            notes.append(f"{' and '.join(written)} of messages for the chat template to write")
        if untrained := self._untrained(shape):
            notes.append(f"{untrained} replies read and not trained")
        if extra := self.unused:
            notes.append(f"not trained on: {', '.join(extra)}")
        return f"{count} row{'s' * (count != 1)}: {' → '.join(steps)}" + (
            f" ({'; '.join(notes)})" if notes else ""
        )


@dataclass(frozen=True)
class DataSet:
    """An opened data choice; ``sources`` maps every shape that it can give to the file it comes from."""

    name: str
    path: Path
    sources: Mapping[str, Source]
    limit: int | None = None
    _computed: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def shapes(self) -> tuple[str, ...]:
        """The shapes it can give, native and derived."""
        return tuple(shape for shape in SHAPES if shape in self.sources)

    @property
    def columns(self) -> list[str]:
        """The columns of its files."""
        return list(
            dict.fromkeys(column for source in self.sources.values() for column in source.table.columns)
        )

    def _lacks(self, shape: str) -> list[str]:
        """The columns of ``shape`` that no file has and that follow from no other shape."""
        given = {name for there in self.shapes if there != "calibration" for name in COLUMNS[there]}
        return [name for name in COLUMNS[shape] if name not in given and name not in self.columns]

    @property
    def tasks(self) -> Path | None:
        """The folder of benchmark tasks beside the rows, if there is one."""
        folder = self.path / "tasks"
        return folder if any(folder.glob("**/*.yaml")) else None

    @property
    def heldout(self) -> Path | None:
        """The held-out text beside the rows (``heldout.jsonl`` or ``heldout.txt``), if there is one."""
        return self._beside("heldout")

    @property
    def general(self) -> Path | None:
        """Text on other subjects than the rows' (``general.jsonl`` or ``general.txt``), if there is one."""
        return self._beside("general")

    @property
    def tools(self) -> Path | None:
        """Held-out questions with tools and the right calls beside the rows (``tools.jsonl``), if any."""
        return self._beside("tools")

    def _beside(self, name: str) -> Path | None:
        return next(
            (file for suffix in (".jsonl", ".txt") if (file := self.path / f"{name}{suffix}").is_file()), None
        )

    def located(self, shape: str) -> list[Record]:
        """The canonical rows of ``shape``, each with the file and line that it comes from."""
        if shape not in self.sources:
            self.require([shape], "this step")
        found: list[Record] = self.once(
            "located", shape, lambda: self.sources[shape].located(shape)[: self.limit]
        )
        return found

    def once(self, what: str, shape: str, compute: Callable[[], Any]) -> Any:
        """The value of ``compute()``, kept under ``what`` and ``shape``: every run of a sweep asks again."""
        if (what, shape) not in self._computed:
            self._computed[what, shape] = compute()
        return self._computed[what, shape]

    def rows(self, shape: str) -> list[Row]:
        """The canonical rows of ``shape``.

        Their columns are those of :data:`ptx.data.COLUMNS`, and the further columns of the file.
        """
        return [record.row for record in self.located(shape)]

    def digest(self, shape: str) -> str:
        """sha256 of the rows as they are used, hex.

        Renaming the file or adding another shape to the family does not change it.
        """
        return str(self.once("digest", shape, lambda: digest_of(self.rows(shape))))

    def ingredient(self, shape: str) -> dict[str, str]:
        """What stands for the rows in the key of a step that reads them."""
        return {"shape": shape, "digest": self.digest(shape)}

    def describe(self, shape: str) -> str:
        """A sentence on how the rows of ``shape`` are made."""
        return str(
            self.once(
                "described", shape, lambda: self.sources[shape].describe(shape, len(self.located(shape)))
            )
        )

    def only(self, shape: str, who: str) -> DataSet:
        """The rows of one file of the family and what follows from them, as a data set of its own.

        Raises:
            ConfigError: when no file of the family has ``shape``; ``who`` is the step that asks for it.
        """
        source = next((source for source in self.sources.values() if source.native == shape), None)
        if source is None:
            natives = ", ".join(dict.fromkeys(source.native for source in self.sources.values()))
            raise ConfigError(
                Problem(f"{who} learns from {shape}, which {self.name} does not hold", f"it holds {natives}")
            )
        return replace(self, sources=dict.fromkeys(source.gives, source), _computed={})

    def require(self, needs: Sequence[str], who: str, fits: Mapping[str, Sequence[str]] | None = None) -> str:
        """The first shape of ``needs`` that the data can give.

        Raises:
            ConfigError: when it can give none. The error names the choice that needs the shape (``who``) and
                the choices that accept the shapes of this data (``fits``: shape -> choices).
        """
        for shape in needs:
            if shape in self.sources:
                return shape
        raise ConfigError(self._mismatch(needs, who, fits or {}))

    def _mismatch(self, needs: Sequence[str], who: str, fits: Mapping[str, Sequence[str]]) -> Problem:
        wanted = " or ".join(f"{shape} (columns {', '.join(COLUMNS[shape])})" for shape in needs)
        natives = dict.fromkeys(source.native for source in self.sources.values())
        holds = (
            f"{self.name} holds {', '.join(natives)} (column{'s' * (len(self.columns) != 1)}"
            f" {', '.join(self.columns)})"
        )
        choices = list(dict.fromkeys(choice for shape in self.shapes for choice in fits.get(shape, ())))
        suits = ", ".join(choices) or f"every choice that accepts {', '.join(self.shapes)}"
        missing = min((self._lacks(shape) for shape in needs), key=len, default=[])
        lacking = f"; missing: {', '.join(missing)}" if missing else ""
        fix = self._paired(needs) or "give data of that shape"
        used = {column for source in self.sources.values() for column in source.form.used}
        free = [column for column in self.columns if column not in used]
        if missing and len(free) >= len(missing) and not self._paired(needs):
            named = " ".join(column_word(name, column) for name, column in zip(missing, free, strict=False))
            fix += f", or say which of its other columns ({', '.join(free)}) hold it, for example {named}"
        return Problem(f"{who} needs {wanted}; {holds}, which fits {suits}{lacking}", fix)

    def _paired(self, needs: Sequence[str]) -> str:
        """What to type where pairs are needed, and a column grades replies to the same prompts."""
        from ptx.data.findings.columns import graded_by  # which knows sources

        found = [graded_by(source) for source in self.sources.values()] if "pairs" in needs else []
        grade = next(filter(None, found), "")
        return f"make pairs: ptx data pairs data={self.name} score={grade} out=./pairs.jsonl" if grade else ""
