"""Records as rows of metrics.

Runs that differ only in their seed are one row, whose metrics come from :func:`ptx.stats.across_seeds`. "Only in their seed" is
decided on the resolved configuration, not on the label: two sweeps may vary the same names over different settings. The first row
is the baseline, the model as it came; a row is compared with the baseline of its own model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ptx.records import Metric, digest_of
from ptx.report.called import label
from ptx.report.pairing import Key, scores_of
from ptx.report.read import Record
from ptx.report.refer import refer, refer_to, served
from ptx.stats import across_seeds

#: settings that do not change a result, and those that make the rows of one group
NEUTRAL = {"out", "name", "threads", "baseline", "against", "tracker", "seed"}
RATIO = "latency/request_ratio"
COSTS = (
    RATIO,
    "latency/request_seconds",
    "latency/p95_seconds",
    "latency/decode_tokens_per_second",
    "size/bytes_on_disk",
    "latency/peak_memory_bytes",
)
COST_GROUPS = ("latency", "size")
MOST_COLUMNS = 10


@dataclass
class Row:
    """One line of the table: a pipeline, under one or more seeds."""

    number: int
    records: list[Record]
    label: str = ""
    reference: Row | None = None  # what it is compared with
    named: bool = False  # whether that one was asked for, in place of the baseline
    turned: Row | None = None  # the baseline of its own, beside which its latency was measured
    repeats: list[Record] = field(default_factory=list)  # the same run and seed once more
    metrics: dict[Key, Metric] = field(default_factory=dict)
    evaluators: dict[Key, str] = field(default_factory=dict)  # by the metric's name here
    _scores: dict[Key, list[dict[str, float]] | None] = field(default_factory=dict, repr=False)

    @property
    def done(self) -> list[Record]:
        """The records that have results."""
        return [record for record in self.records if record.status == "done"]

    @property
    def status(self) -> str:
        """Done as soon as one seed is."""
        return "done" if self.done else self.records[0].status

    @property
    def baseline(self) -> bool:
        """Whether it is the model as it came."""
        return self.records[0].baseline

    @property
    def as_it_is(self) -> bool:
        """Whether it is a model that was measured by itself (``ptx eval``): its requests took turns with its own, in a sitting of its own."""
        return not self.baseline and all(_as_it_is(record) for record in self.records)

    @property
    def full_label(self) -> str:
        """What varied, written out; without the seed."""
        varied = " ".join(f"{key}={value}" for key, value in self.records[0].varied.items() if key != "seed")
        return varied or str(self.records[0].run.get("label") or self.records[0].id)

    def metric(self, name: str, segment: str = "") -> Metric | None:
        """A metric that has a value."""
        found = self.metrics.get((name, segment))
        return None if found is None or math.isnan(found.value) else found

    def in_turns(self, key: Key) -> tuple[list[dict[str, float]], list[dict[str, float]]] | None:
        """Per seed the item scores of this row and of its baseline, measured in turns; None where they were not."""
        evaluator = self.evaluators.get(key, "")
        key = (bare(key[0]), key[1])
        pairs = [(record.scores(evaluator).get(key), record.beside(evaluator).get(key)) for record in self.done]
        found = [(ours, theirs) for ours, theirs in pairs if ours and theirs]
        return ([ours for ours, _ in found], [theirs for _, theirs in found]) if found and len(found) == len(pairs) else None

    def scores(self, key: Key) -> list[dict[str, float]] | None:
        """Per seed the item scores whose mean is the metric; None when it is no such mean."""
        if key not in self._scores:
            self._scores[key] = scores_of(self.done, self.evaluators.get(key, ""), (bare(key[0]), key[1]))
        return self._scores[key]

    def column(self, key: Key, name: str) -> dict[str, Any] | None:
        """Item -> weight or cluster behind a metric, the same under every seed; None where the rows have none."""
        return self.done[0].column(self.evaluators.get(key, ""), name) if self.done else None


@dataclass
class Frame:
    """The whole table."""

    rows: list[Row]
    names: list[str]  # metrics of the whole (segment ""), in the order they were recorded
    headline: str | None  # the quality metric that the report leads with

    @property
    def columns(self) -> list[str]:
        """The main table's metrics: the headline, each task's first metric, then what it costs.

        Where there are too many, evaluators take turns, so that none is missing because another has many tasks.
        """
        left = [name for name in self.primary if name != self.headline]
        seen: Counter[str] = Counter()
        turn = {}
        for name in left:
            evaluator = name.partition("/")[0]
            turn[name] = seen[evaluator]
            seen[evaluator] += 1
        kept = sorted(left, key=lambda name: turn[name])[: MOST_COLUMNS - 1]
        quality = [name for name in left if name in kept]
        costs = [name for cost in COSTS for name in self.names if bare(name) == cost]
        return ([self.headline] if self.headline else []) + quality + costs

    @property
    def primary(self) -> list[str]:
        """One metric per task of each evaluator that measures quality, the first recorded; all of one without tasks."""
        seen: set[str] = set()
        found = []
        for name in self.names:
            parts = name.split("/")
            group = "/".join(parts[:-1]) if len(parts) > 2 else name
            if parts[0] not in COST_GROUPS and group not in seen:
                seen.add(group)
                found.append(name)
        return found

    @property
    def cost(self) -> str | None:
        """The latency that pictures and sentences use; not the ratio to the baseline where the rows have it to several."""
        one = len({served(row.records[0]) for row in self.rows if row.metric(COSTS[0])}) == 1
        return next((name for name in COSTS[:3] if name in self.names and (one or name != COSTS[0])), None)

    @property
    def base(self) -> str:
        """What the rows are compared with, in words."""
        references = {row.reference.number: row.reference for row in self.rows if row.reference}
        only = next(iter(references.values())) if len(references) == 1 else None
        return only.label if only and not only.baseline else "the baseline"

    def sample(self, name: str) -> Metric:
        """Some metric of that name, for its unit and direction."""
        return next(metric for row in self.rows for (of, _), metric in row.metrics.items() if of == name)

    def values(self, name: str) -> list[float]:
        """All its values, for a common scale."""
        return [metric.value for row in self.rows for (of, _), metric in row.metrics.items() if of == name]

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
        against: the row that all others are compared with (a label, a run's id, or choices); empty: what the runs declare, else each
            row's baseline; None: that baseline, whatever they declare.

    Raises:
        ConfigError: no row, or more than one, is called that.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(_group_of(record), []).append(record)
    machines = list(dict.fromkeys(machine_of(record) for group in groups.values() for record in group if _timed(record)))
    rows = [_make_row(group, machines) for group in groups.values()]
    rows.sort(key=lambda row: not row.baseline)
    for number, row in enumerate(rows, 1):
        row.number = number
    label(rows)
    refer(rows)
    if against is not None:
        refer_to(rows, against)
    names = list(dict.fromkeys(name for row in rows for name, segment in row.metrics if not segment))
    return Frame(rows, names, _headline(rows, names))


def _group_of(record: Record) -> str:
    config = record.run.get("config") or {}
    if not record.run or record.status == "planned":
        return str(record.folder.resolve())
    kept = {key: value for key, value in config.items() if key not in NEUTRAL}
    if record.baseline:  # a baseline takes no steps, whatever else was configured
        kept = {key: kept.get(key) for key in ("runtime", "eval", "device")}
    model = record.model.get("digest") or record.model.get("name")
    data = None if record.baseline else (record.run.get("data") or {}).get("digest")
    told_apart = None if config else [record.id, record.varied]
    return digest_of([record.baseline, _seedless(kept), data, model, told_apart])


def _seedless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _seedless(item) for key, item in value.items() if key != "seed"}
    return [_seedless(item) for item in value] if isinstance(value, list) else value


def bare(name: str) -> str:
    """A metric's name without the machine."""
    return name.partition(" @ ")[0]


def machine_of(record: Record) -> str:
    """What the times of a record depend on: processor, cores, GPU."""
    host = record.run.get("host") or {}
    gpu = host.get("gpu")
    parts = [host.get("cpu"), f"{host['cores']} cores" if host.get("cores") else "", "+".join(gpu) if isinstance(gpu, list) else gpu]
    return ", ".join(str(part) for part in parts if part) or "unknown machine"


def _timed(record: Record) -> bool:
    return any(_absolute(metric.name) for _, metric in record.metrics)


def _as_it_is(record: Record) -> bool:
    return not record.baseline and record.run.get("verb") == "eval"


def _absolute(name: str) -> bool:
    """Whether a metric is of the machine too: times and memory are, ratios measured in turns are not."""
    return name.startswith("latency/") and not name.endswith("_ratio")


def _here(record: Record, machines: list[str]) -> Iterator[tuple[str, Metric]]:
    """A record's metrics; the times of any machine but the first bear its name, so that no axis, column or comparison mixes two."""
    machine = machine_of(record)
    for evaluator, metric in record.metrics:
        if metric.name == RATIO and _as_it_is(record):
            continue  # to itself
        other = len(machines) > 1 and machine != machines[0] and _absolute(metric.name)
        yield evaluator, replace(metric, name=f"{metric.name} @ {machine}") if other else metric


def _make_row(group: list[Record], machines: list[str]) -> Row:
    """One record per seed: the last finished one if there are several, else the last."""
    by_seed: dict[str, list[Record]] = {}
    for record in group:
        by_seed.setdefault(record.seed, []).append(record)
    chosen, repeats = [], []
    for same in by_seed.values():
        ordered = sorted(same, key=lambda record: (record.status == "done", str(record.run.get("created", ""))))
        chosen.append(ordered[-1])
        repeats += ordered[:-1]
    row = Row(0, chosen, repeats=repeats)
    named = [one for record in row.done for one in _here(record, machines)]
    for evaluator, metric in named:
        row.evaluators.setdefault((metric.name, metric.segment), evaluator)
    for key in row.evaluators:
        same_key = [metric for _, metric in named if (metric.name, metric.segment) == key]
        row.metrics[key] = across_seeds(same_key)
    return row


def _headline(rows: list[Row], names: list[str]) -> str | None:
    """bench/mean, else another mean, else the first metric of quality where more is better; the first of any at last.

    A kappa is about the judges of a model, not about the model.
    """
    quality = [name for name in names if name.partition("/")[0] not in COST_GROUPS]
    means = [name for name in quality if name.endswith("/mean")]
    known = {name: metric for row in rows for (name, _), metric in row.metrics.items()}
    quality = [name for name in quality if known[name].unit != "kappa"]
    more = [name for name in quality if known[name].better == "higher"]
    return next(iter([name for name in means if name == "bench/mean"] + means + more + quality), None)
