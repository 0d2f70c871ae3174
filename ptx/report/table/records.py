"""Run folders as values, in whatever state they are.

A report that drops failed runs makes the remaining ones look better. So a run without ``result.json`` is
*unfinished*, a run that a sweep planned but never started is *planned*, and a run whose JSON is broken is
*unreadable*. All are kept and shown, and a broken file is named.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError, Problem
from ptx.files import read_json, read_rows
from ptx.guard.names import fault_of
from ptx.guard.reading import FileError, reason
from ptx.records import SCHEMA, Metric
from ptx.report.table.metric_entry import agree, read_metrics
from ptx.report.table.pairing import Key, index_scores
from ptx.report.table.record_fields import well_typed

#: folders inside an output folder that hold no runs
SKIPPED = {"store", "scratch", "model", "evaluations"}


@dataclass
class Record:
    """One run, as its folder records it.

    ``status`` is done, failed, interrupted, unfinished, planned or unreadable.
    """

    folder: Path
    status: str
    run: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    sweep: dict[str, Any] = field(default_factory=dict)
    metrics: list[tuple[str, Metric]] = field(default_factory=list)  # evaluator, metric
    problems: list[str] = field(default_factory=list)
    _rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict, repr=False)
    _scores: dict[str, dict[Key, dict[str, float]]] = field(default_factory=dict, repr=False)
    _beside: dict[str, dict[Key, dict[str, float]]] = field(default_factory=dict, repr=False)
    _columns: dict[tuple[str, str], dict[str, Any] | None] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """The run's id, unique in its sweep."""
        return str(self.run.get("id", self.folder.name))

    @property
    def sweep_name(self) -> str:
        """The name of the sweep that the run belongs to."""
        return str(self.run.get("sweep") or self.sweep.get("name") or self.folder.parent.name)

    @functools.cached_property
    def varied(self) -> dict[str, str]:
        """Field -> value of the fields that vary in the sweep."""
        return {str(key): str(value) for key, value in (self.run.get("varied") or {}).items()}

    @property
    def seed(self) -> str:
        """The run's seed, as text."""
        return str(self.run.get("seed", self.varied.get("seed", "0")))

    @functools.cached_property
    def baseline(self) -> bool:
        """Whether the run is the baseline: it measured the untouched model."""
        return bool(self.run.get("baseline", False))

    @property
    def model(self) -> dict[str, Any]:
        """The input model: name, digest, parameters, ..."""
        return self.run.get("model") or {}

    def rows(self, evaluator: str) -> list[dict[str, Any]]:
        """Per-example rows of one evaluator.

        There are none if the file is absent or broken; a broken file is added to :attr:`problems`.
        """
        if evaluator not in self._rows:
            path = self.folder / "evaluations" / f"{evaluator}.jsonl"
            # a record may be a stranger's, and the evaluator is one of its texts
            self._rows[evaluator] = [] if _no_name(evaluator) else self._lines(path)
        return self._rows[evaluator]

    def scores(self, evaluator: str) -> dict[Key, dict[str, float]]:
        """(Score's name, segment) -> item -> score, of one evaluator's rows."""
        if evaluator not in self._scores:
            self._scores[evaluator] = index_scores(self.rows(evaluator))
        return self._scores[evaluator]

    def column(self, evaluator: str, key: str) -> dict[str, Any] | None:
        """Item -> value of a column of the evaluator's rows (weight, cluster); None if no row has it."""
        if (evaluator, key) not in self._columns:
            rows = self.rows(evaluator)
            found = {str(row.get("item")): row[key] for row in rows if row.get(key) is not None}
            self._columns[evaluator, key] = found or None
        return self._columns[evaluator, key]

    def baseline_scores(self, evaluator: str) -> dict[Key, dict[str, float]]:
        """The baseline's :meth:`scores`, if it was measured in turns with this run's artifact.

        They are the column ``beside`` of the evaluator's rows.
        """
        if evaluator not in self._beside:
            rows = ({**row, "scores": row["beside"]} for row in self.rows(evaluator) if row.get("beside"))
            self._beside[evaluator] = index_scores(rows)
        return self._beside[evaluator]

    def events(self) -> list[dict[str, Any]]:
        """The lines of events.jsonl."""
        return self._lines(self.folder / "events.jsonl")

    def _lines(self, path: Path) -> list[dict[str, Any]]:
        try:
            return [row for row in read_rows(path) if isinstance(row, dict)]
        except (ValueError, OSError) as error:
            self.problems.append(f"{path.name} is broken: {error}")
            return []


#: a run's folder, and what the file of its sweep says -> the run
Reader = Callable[[Path, dict[str, Any]], Record]


@functools.lru_cache(maxsize=65_536)
def _no_name(name: str) -> bool:
    """Whether a text of a record cannot be the name of a file; ten thousand runs name the same evaluators."""
    return bool(fault_of(name))


def load_records(paths: Iterable[Path], read: Reader | None = None) -> list[Record]:
    """The runs at or below ``paths``, each once, in the order of their sweep.

    A path is a run's folder, a sweep's folder, or any folder above them. ``read`` reads a run in place of
    :func:`read_run`.

    Raises:
        ConfigError: a path is not a folder, or holds no runs.
    """
    found: dict[str, Record] = {}
    parents: dict[Path, str] = {}
    for path in map(Path, paths):
        if not path.is_dir():
            raise ConfigError(
                Problem(f"no folder {path}", "give a run's or a sweep's folder, such as ptx-out/runs/NAME")
            )
        records = list(_below(path, read or read_run))
        if not records:
            raise ConfigError(
                Problem(
                    f"no runs in {path}", "a run is a folder with a run.json; runs are in OUT/runs/SWEEP/RUN"
                )
            )
        for record in records:
            found.setdefault(_real(record.folder, parents), record)
    agree(list(found.values()))
    return list(found.values())


def _real(folder: Path, parents: dict[Path, str]) -> str:
    """The path of a run without links; those of its parent are looked up once."""
    if not folder.name or folder.is_symlink():
        return os.path.realpath(folder)
    parent = folder.parent
    if parent not in parents:
        parents[parent] = os.path.realpath(parent)
    return f"{parents[parent]}/{folder.name}"


def _below(path: Path, read: Reader) -> Iterator[Record]:
    if (path / "run.json").is_file():
        yield read(path, _sweep_of(path.parent)[0])
        return
    for folder, names, files in os.walk(path):
        names[:] = sorted(set(names) - SKIPPED)
        here = Path(folder)
        # a Path of each of ten thousand runs takes four times as long
        runs = [name for name in names if os.path.isfile(f"{folder}/{name}/run.json")]  # noqa: PTH113
        names[:] = sorted(set(names) - set(runs))
        if runs or "sweep.json" in files:
            yield from _read_sweep(here, runs, read)


def _read_sweep(folder: Path, names: list[str], read: Reader) -> Iterator[Record]:
    """The runs that sweep.json names; all of ``names`` if it names none.

    Other runs are left over from an earlier plan of the same sweep, with other inputs or versions.
    """
    sweep, problem = _sweep_of(folder)
    given = sweep.get("runs")
    planned = [str(name) for name in given if not _no_name(str(name))] if isinstance(given, list) else []
    place = {name: index for index, name in enumerate(planned)}
    there = {name for name in names if name in place or not planned}
    for name in sorted(there, key=lambda name: (place.get(name, len(place)), name)):
        record = read(folder / name, sweep)
        record.problems += problem
        yield record
    for name in planned:
        if name not in there:
            yield Record(
                folder / name,
                "planned",
                run={"id": name, "label": name, "sweep": sweep.get("name", folder.name)},
                sweep=sweep,
            )


def _sweep_of(folder: Path) -> tuple[dict[str, Any], list[str]]:
    path = folder / "sweep.json"
    return _read(path) if path.is_file() else ({}, [])


def read_run(folder: Path, sweep: dict[str, Any]) -> Record:
    """The run whose folder this is, in whatever state; ``sweep`` is what the sweep's file says."""
    run, problems = _read(folder / "run.json")
    result: dict[str, Any] = {}
    if (folder / "result.json").is_file():
        result, more = _read(folder / "result.json")
        problems += more
    status = str(result.get("status", "unfinished"))
    record = Record(folder, "unreadable" if problems else status, run, result, sweep, problems=problems)
    record.problems += [
        f"{name}: schema is {found!r:.40}; this ptx reads {SCHEMA}, so fields may be missing or misread"
        for name, found in (("run.json", run.get("schema")), ("result.json", result.get("schema")))
        if found not in (None, SCHEMA)
    ]
    read_metrics(record, result.get("metrics") or [])
    return record


def _read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """(The JSON object in ``path``, problems): an empty object and the reason if it cannot be read."""
    try:
        value = read_json(path)
    except FileError as error:
        return {}, [f"{path.name}: {error.what}"]
    except OSError as error:
        return {}, [f"{path.name} cannot be read: {reason(error)}"]
    if not isinstance(value, dict):
        return {}, [f"{path.name} holds a {type(value).__name__}, not an object"]
    return well_typed(path.name, value)
