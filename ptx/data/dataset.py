"""A data choice, opened: which shapes it can give, and its rows in the shape that a step needs.

A file gives its native shape and what follows from that without a guess
(:data:`ptx.data.shapes.DERIVATIONS`); a family gives the shape of each of its files and, for shapes that no
file has, what follows from the ones it has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ptx.data.read import Record, Row, Table
from ptx.data.shapes import COLUMNS, DERIVATIONS, SHAPES, Form
from ptx.errors import ConfigError, Problem
from ptx.files import digest_of


@dataclass(frozen=True)
class Source:
    """The rows of one file in their native shape. ``only`` is the shape its name in a family promises."""

    table: Table
    form: Form
    records: list[Record]
    only: str = ""

    @property
    def native(self) -> str:
        """The shape it has without any derivation."""
        return self.only or self.form.shape

    @property
    def gives(self) -> list[str]:
        """Its own shape, and those that follow from it."""
        return [self.native, *(shape for shape, origins in DERIVATIONS.items() if self.form.shape in origins)]

    def located(self, shape: str) -> list[Record]:
        """Canonical rows of ``shape``, each with its place in the file."""
        if shape == self.form.shape:
            return self.records
        derive = DERIVATIONS[shape][self.form.shape]
        return [
            Record(record.file, record.line, row) for record in self.records for row in derive(record.row)
        ]

    def describe(self, shape: str, count: int) -> str:
        """How the rows of ``shape`` come about."""
        steps = [] if self.form.canonical == len(self.form.parts) else [str(self.form)]
        steps += dict.fromkeys([self.form.shape, shape])
        notes = [self.table.note] if self.table.note else []
        if "system" in self.form.parts:
            notes.append("column system as the first message")
        if "context" in self.form.parts:
            notes.append(f"column {self.form.parts['context']} put below the prompt")
        extra = [column for column in self.table.columns if column not in self.form.columns]
        if extra:
            notes.append(f"further columns: {', '.join(extra)}")
        return f"{count} row{'s' * (count != 1)}: {' → '.join(steps)}" + (
            f" ({'; '.join(notes)})" if notes else ""
        )


@dataclass(frozen=True)
class DataSet:
    """An opened data choice. ``sources`` says, for every shape it can give, where that comes from."""

    name: str
    path: Path
    sources: Mapping[str, Source]
    limit: int | None = None
    _made: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

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
        """The columns of ``shape`` that are here under no name and follow from nothing."""
        given = {name for there in self.shapes if there != "calibration" for name in COLUMNS[there]}
        return [name for name in COLUMNS[shape] if name not in given and name not in self.columns]

    @property
    def tasks(self) -> Path | None:
        """The folder of benchmark tasks that lies beside the rows, if there is one."""
        folder = self.path / "tasks"
        return folder if any(folder.glob("**/*.yaml")) else None

    @property
    def heldout(self) -> Path | None:
        """The held-out text that lies beside the rows (``heldout.jsonl`` or ``heldout.txt``), if there is
        one.
        """
        return self._beside("heldout")

    @property
    def general(self) -> Path | None:
        """Text of everything but what the rows are about (``general.jsonl`` or ``general.txt``), if there is
        one.
        """
        return self._beside("general")

    def _beside(self, name: str) -> Path | None:
        return next(
            (file for suffix in (".jsonl", ".txt") if (file := self.path / f"{name}{suffix}").is_file()), None
        )

    def located(self, shape: str) -> list[Record]:
        """Canonical rows with the file and line each came from."""
        if shape not in self.sources:
            self.require([shape], "this step")
        found: list[Record] = self.once(
            "located", shape, lambda: self.sources[shape].located(shape)[: self.limit]
        )
        return found

    def once(self, what: str, shape: str, make: Callable[[], Any]) -> Any:
        """Make something of the rows of ``shape`` only once: every job of a sweep asks for it again."""
        if (what, shape) not in self._made:
            self._made[what, shape] = make()
        return self._made[what, shape]

    def rows(self, shape: str) -> list[Row]:
        """Canonical rows of ``shape``; the columns are those of :data:`ptx.data.COLUMNS`, and whatever else
        the file had.
        """
        return [record.row for record in self.located(shape)]

    def digest(self, shape: str) -> str:
        """sha256 of the rows as they are used: renaming the file or adding another shape to the family
        changes nothing.
        """
        return str(self.once("digest", shape, lambda: digest_of(self.rows(shape))))

    def describe(self, shape: str) -> str:
        """A sentence on how the rows come about."""
        return self.sources[shape].describe(shape, len(self.located(shape)))

    def only(self, shape: str, who: str) -> DataSet:
        """The same data without all rows but those of one file of the family, and what follows from them."""
        source = next((source for source in self.sources.values() if source.native == shape), None)
        if source is None:
            natives = ", ".join(dict.fromkeys(source.native for source in self.sources.values()))
            raise ConfigError(
                Problem(f"{who} learns from {shape}, which {self.name} does not hold", f"it holds {natives}")
            )
        return replace(self, sources=dict.fromkeys(source.gives, source), _made={})

    def require(self, needs: Sequence[str], who: str, fits: Mapping[str, Sequence[str]] | None = None) -> str:
        """The first shape of ``needs`` that is there. ``fits`` names, for the error, the choices that take
        each shape.
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
        takers = list(dict.fromkeys(taker for shape in self.shapes for taker in fits.get(shape, ())))
        suits = ", ".join(takers) or f"whatever takes {', '.join(self.shapes)}"
        missing = min((self._lacks(shape) for shape in needs), key=len, default=[])
        lacking = f"; missing: {', '.join(missing)}" if missing else ""
        fix = "give data of that shape"
        if missing:
            fix += (
                ", or name the columns that hold it:"
                f" {' '.join(f'data.columns.{name}=COLUMN' for name in missing)}"
            )
        return Problem(f"{who} needs {wanted}; {holds}, which fits {suits}{lacking}", fix)
