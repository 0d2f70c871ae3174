"""The frame of a report: the ordered and labelled rows, their references, and the columns to show.

The first row is the baseline, the untouched model. By default a row is compared with the baseline of its
model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ptx.records import Metric
from ptx.report.table.baseline import baseline_identity, set_baselines, set_references
from ptx.report.table.labels import set_labels
from ptx.report.table.records import Record
from ptx.report.table.row import RATIO, Row, group_key, machine_of, make_row, timed, without_machine

SIZE = "size/bytes_on_disk"
COSTS = (
    RATIO,
    "latency/request_seconds",
    "latency/p95_seconds",
    "latency/decode_tokens_per_second",
    SIZE,
    "latency/peak_memory_bytes",
)
COST_GROUPS = ("latency", "size")
MOST_COLUMNS = 10


@dataclass
class Frame:
    """The whole table."""

    rows: list[Row]
    names: list[str]  # metrics over all items (segment ""), in the order they were recorded
    headline: str | None  # the quality metric that the report leads with
    chosen_columns: list[str] = field(default_factory=list)  # of a report's definition
    chosen_axes: list[str] = field(default_factory=list)
    places: dict[tuple[tuple[str, ...], int], Any] = field(default_factory=dict, repr=False)  # by objectives

    @cached_property
    def columns(self) -> list[str]:
        """The main table's metrics: the headline, each task's first metric, then the costs.

        If there are too many, metrics are chosen from the evaluators in turn, so that none is missing because
        another has many tasks. A definition's metrics come instead of the tasks'.
        """
        costs = [name for cost in COSTS for name in self.names if without_machine(name) == cost]
        start = [self.headline] if self.headline else []
        if self.chosen_columns:
            return list(dict.fromkeys([*start, *self.chosen_columns, *self.axes, *costs]))
        left = [name for name in self.primary if name != self.headline]
        seen: Counter[str] = Counter()
        turn = {}
        for name in left:
            evaluator = name.partition("/")[0]
            turn[name] = seen[evaluator]
            seen[evaluator] += 1
        kept = sorted(left, key=lambda name: turn[name])[: MOST_COLUMNS - 1]
        quality = [name for name in left if name in kept]
        return start + quality + costs

    @cached_property
    def primary(self) -> list[str]:
        """The first recorded metric of each task of the quality evaluators.

        An evaluator without tasks contributes all its metrics.
        """
        seen: set[str] = set()
        found = []
        for name in self.names:
            parts = name.split("/")
            group = "/".join(parts[:-1]) if len(parts) > 2 else name
            if parts[0] not in COST_GROUPS and group not in seen:
                seen.add(group)
                found.append(name)
        return found

    @cached_property
    def cost(self) -> str | None:
        """The latency metric for pictures and sentences.

        It is a definition's axis if one is a latency. It is not the ratio to the baseline if the rows have
        ratios to different baselines.
        """
        for name in self.chosen_axes:
            if name.startswith("latency/") and "bytes" not in name:
                return name
        one = len({baseline_identity(row.records[0]) for row in self.rows if row.metric(COSTS[0])}) == 1
        return next((name for name in COSTS[:3] if name in self.names and (one or name != COSTS[0])), None)

    @property
    def axes(self) -> list[str]:
        """What the headline is drawn against: a definition's axes, else the latency and the size."""
        return self.chosen_axes or [name for name in (self.cost, SIZE) if name and name in self.names]

    @property
    def objectives(self) -> list[str]:
        """The metrics that a reader decides on: the headline and the axes, as far as known."""
        return [*([self.headline] if self.headline else []), *self.axes]

    @property
    def reference_name(self) -> str:
        """The name of what the rows are compared with, for texts."""
        references = {row.reference.number: row.reference for row in self.rows if row.reference}
        only = next(iter(references.values())) if len(references) == 1 else None
        return only.label if only and not only.baseline else "the baseline"

    def sample(self, name: str) -> Metric:
        """One metric of that name, for its unit and direction."""
        return self._by_name[name][0]

    def values(self, name: str) -> list[float]:
        """The values of a metric in all rows and segments, for a common scale."""
        return [metric.value for metric in self._by_name[name]]

    @cached_property
    def _by_name(self) -> dict[str, list[Metric]]:
        found: dict[str, list[Metric]] = {}
        for row in self.rows:
            for (name, _), metric in row.metrics.items():
                found.setdefault(name, []).append(metric)
        return found

    def segments(self) -> dict[str, list[str]]:
        """Dimension -> its values, from the segments ``dimension=value`` that metrics carry."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            for _, segment in row.metrics:
                dimension, equals, value = segment.partition("=")
                if equals and value not in found.setdefault(dimension, []):
                    found[dimension].append(value)
        return found


def make_frame(records: Iterable[Record], against: str | None = "") -> Frame:
    """Group, label and order the records.

    Args:
        records: of one or several sweeps.
        against: the row that all others are compared with (a label, a run's id, or choices); empty: the one
            that the runs declare, else each row's baseline; None: always each row's baseline.

    Raises:
        ConfigError: ``against`` names no row, or more than one.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(group_key(record), []).append(record)
    machines = list(
        dict.fromkeys(machine_of(record) for group in groups.values() for record in group if timed(record))
    )
    rows = [make_row(group, machines) for group in groups.values()]
    rows.sort(key=lambda row: not row.baseline)
    for number, row in enumerate(rows, 1):
        row.number = number
    set_labels(rows)
    set_baselines(rows)
    if against is not None:
        set_references(rows, against)
    names = list(dict.fromkeys(name for row in rows for name, segment in row.metrics if not segment))
    return Frame(rows, names, _headline(rows, names))


def _headline(rows: list[Row], names: list[str]) -> str | None:
    """The metric that the report leads with.

    It is bench/mean, else another mean, else the first quality metric where higher is better, else the first
    quality metric. A kappa is left out: it describes the judges of a model, not the model.
    """
    quality = [name for name in names if name.partition("/")[0] not in COST_GROUPS]
    means = [name for name in quality if name.endswith("/mean")]
    known = {name: metric for row in rows for (name, _), metric in row.metrics.items()}
    quality = [name for name in quality if known[name].unit != "kappa"]
    more = [name for name in quality if known[name].better == "higher"]
    return next(iter([name for name in means if name == "bench/mean"] + means + more + quality), None)
