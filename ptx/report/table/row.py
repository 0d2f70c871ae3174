"""One row of a report's table: its records, and their metrics.

Runs that differ only in their seed are one row, whose metrics come from :func:`ptx.stats.across_seeds`. This
is decided by the resolved configuration, not by the label: two sweeps may use the same labels with different
settings.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ptx.config import NEUTRAL
from ptx.files import digest_of
from ptx.records import Metric
from ptx.report.table.pairing import Key, scores_of
from ptx.report.table.records import Record
from ptx.stats import across_seeds

#: runs that differ only in these settings are one row: what does not change a result, and the seed
SAME_ROW = NEUTRAL | {"seed"}
RATIO = "latency/request_ratio"


@dataclass(eq=False)
class Row:
    """One row of the table: a recipe, under one or more seeds. A row equals no other."""

    number: int
    records: list[Record]
    label: str = ""
    reference: Row | None = None  # the row that it is compared with
    reference_requested: bool = False  # whether the user has named the reference
    measured_beside: Row | None = None  # the baseline with which its latency was measured in turns
    repeats: list[Record] = field(default_factory=list)  # further runs of the same configuration and seed
    metrics: dict[Key, Metric] = field(default_factory=dict)
    evaluators: dict[Key, str] = field(default_factory=dict)  # the evaluator of each metric
    _scores: dict[Key, list[dict[str, float]] | None] = field(default_factory=dict, repr=False)
    compared: dict[tuple[int, Key], Any] = field(default_factory=dict, repr=False)  # with which row, on what

    @cached_property
    def done(self) -> list[Record]:
        """The records that have results."""
        return [record for record in self.records if record.status == "done"]

    @property
    def status(self) -> str:
        """The status of the row: done as soon as one seed is done."""
        return "done" if self.done else self.records[0].status

    @cached_property
    def baseline(self) -> bool:
        """Whether the row is the untouched model."""
        return self.records[0].baseline

    @cached_property
    def measured_alone(self) -> bool:
        """Whether the model was measured by itself (``ptx eval`` without another ``baseline_runtime``).

        Its requests were then measured in turns with its own requests, not with a baseline's.
        """
        return not self.baseline and all(_measured_alone(record) for record in self.records)

    @property
    def full_label(self) -> str:
        """All varied fields with their values, without the seed."""
        varied = " ".join(f"{key}={value}" for key, value in self.records[0].varied.items() if key != "seed")
        return varied or str(self.records[0].run.get("label") or self.records[0].id)

    def metric(self, name: str, segment: str = "") -> Metric | None:
        """The metric of that name and segment; None if it is absent or has no value."""
        found = self.metrics.get((name, segment))
        return None if found is None or math.isnan(found.value) else found

    def scores_in_turns(self, key: Key) -> tuple[list[dict[str, float]], list[dict[str, float]]] | None:
        """Per seed the item scores of this row and of its baseline; None if not measured in turns."""
        evaluator = self.evaluators.get(key, "")
        if evaluator in self._without_rows:
            return None
        key = (without_machine(key[0]), key[1])
        pairs = [
            (record.scores(evaluator).get(key), record.baseline_scores(evaluator).get(key))
            for record in self.done
        ]
        found = [(ours, theirs) for ours, theirs in pairs if ours and theirs]
        return (
            ([ours for ours, _ in found], [theirs for _, theirs in found])
            if found and len(found) == len(pairs)
            else None
        )

    def scores(self, key: Key) -> list[dict[str, float]] | None:
        """Per seed the item scores whose mean is the metric; None if the metric is not such a mean."""
        evaluator = self.evaluators.get(key, "")
        if evaluator in self._without_rows:
            return None
        if key not in self._scores:
            self._scores[key] = scores_of(self.done, evaluator, (without_machine(key[0]), key[1]))
        return self._scores[key]

    def is_bare(self, key: Key) -> bool:
        """Whether the metric's evaluator has left no rows, so that it can be compared by its value alone."""
        return self.evaluators.get(key, "") in self._without_rows

    @cached_property
    def _without_rows(self) -> set[str]:
        """The evaluators of which a record has no rows, so that no metric of theirs has item scores."""
        every = set(self.evaluators.values())
        return {name for name in every if not all(record.rows(name) for record in self.done)}

    def column(self, key: Key, name: str) -> dict[str, Any] | None:
        """Item -> value of a column (weight, cluster) of a metric's rows; None if the rows have none.

        The column is the same under every seed.
        """
        return self.done[0].column(self.evaluators.get(key, ""), name) if self.done else None


def group_key(record: Record) -> str:
    """The key that the records of one row share: a digest of everything but the seed."""
    config = record.run.get("config") or {}
    if not record.run or record.status == "planned":
        return str(record.folder.resolve())
    kept = {key: value for key, value in config.items() if key not in SAME_ROW}
    if record.baseline:  # a baseline runs no steps, so their configuration does not matter
        kept = {key: kept.get(key) for key in ("runtime", "eval", "device")}
    model = record.model.get("digest") or record.model.get("name")
    data = None if record.baseline else (record.run.get("data") or {}).get("digest")
    distinguishing = None if config else [record.id, record.varied]
    return digest_of([record.baseline, _seedless(kept), data, model, distinguishing])


def _seedless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _seedless(item) for key, item in value.items() if key != "seed"}
    return [_seedless(item) for item in value] if isinstance(value, list) else value


@functools.cache
def without_machine(name: str) -> str:
    """A metric's name without its ``@ machine``."""
    return name.partition(" @ ")[0]


def machine_of(record: Record) -> str:
    """The machine of a record, which its times depend on: processor, cores, GPU."""
    host = record.run.get("host") or {}
    gpu = host.get("gpu")
    parts = [
        host.get("cpu"),
        f"{host['cores']} cores" if host.get("cores") else "",
        "+".join(gpu) if isinstance(gpu, list) else gpu,
    ]
    return ", ".join(str(part) for part in parts if part) or "unknown machine"


def timed(record: Record) -> bool:
    """Whether the record has metrics that depend on its machine."""
    return any(_depends_on_machine(metric.name) for _, metric in record.metrics)


def _measured_alone(record: Record) -> bool:
    config = record.run.get("config") or {}
    return (
        not record.baseline
        and record.run.get("verb") == "eval"
        and config.get("baseline_runtime") in (None, config.get("runtime"))
    )


def _depends_on_machine(name: str) -> bool:
    """Whether a metric depends on the machine: times and memory do, ratios measured in turns do not."""
    return name.startswith("latency/") and not name.endswith("_ratio")


def _metrics_of(record: Record, machines: list[str]) -> Iterator[tuple[str, Metric]]:
    """(Evaluator, metric) of a record's metrics.

    Times from any machine but the first get its name, so that no axis, column or comparison mixes two
    machines.
    """
    machine = machine_of(record)
    for evaluator, metric in record.metrics:
        if metric.name == RATIO and _measured_alone(record):
            continue  # a ratio to itself
        other = len(machines) > 1 and machine != machines[0] and _depends_on_machine(metric.name)
        yield evaluator, replace(metric, name=f"{metric.name} @ {machine}") if other else metric


def make_row(group: list[Record], machines: list[str]) -> Row:
    """The row of a group of records.

    It keeps one record per seed: the last one that is done, else the last one. The others are its repeats.
    """
    by_seed: dict[str, list[Record]] = {}
    for record in group:
        by_seed.setdefault(record.seed, []).append(record)
    chosen, repeats = [], []
    for same in by_seed.values():
        ordered = sorted(
            same, key=lambda record: (record.status == "done", str(record.run.get("created", "")))
        )
        chosen.append(ordered[-1])
        repeats += ordered[:-1]
    row = Row(0, chosen, repeats=repeats)
    by_key: dict[Key, list[Metric]] = {}
    for record in row.done:
        for evaluator, metric in _metrics_of(record, machines):
            key = metric.name, metric.segment
            row.evaluators.setdefault(key, evaluator)
            by_key.setdefault(key, []).append(metric)
    row.metrics = {key: across_seeds(same) for key, same in by_key.items()}
    return row
