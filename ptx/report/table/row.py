"""One line of a report's table: which records it is made of, and their metrics.

Runs that differ only in their seed are one row, whose metrics come from :func:`ptx.stats.across_seeds`. "Only
in their seed" is decided on the resolved configuration, not on the label: two sweeps may vary the same names
over different settings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ptx.files import digest_of
from ptx.records import Metric
from ptx.report.table.pairing import Key, scores_of
from ptx.report.table.records import Record
from ptx.stats import across_seeds

#: settings that do not change a result, and those that make the rows of one group
NEUTRAL = {"out", "name", "threads", "baseline", "against", "tracker", "seed"}
RATIO = "latency/request_ratio"


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
        """Whether it is a model that was measured by itself (``ptx eval``, no other ``baseline_runtime``):
        its requests took turns with its own.
        """
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
        """Per seed the item scores of this row and of its baseline, measured in turns; None where they were
        not.
        """
        evaluator = self.evaluators.get(key, "")
        key = (bare(key[0]), key[1])
        pairs = [
            (record.scores(evaluator).get(key), record.beside(evaluator).get(key)) for record in self.done
        ]
        found = [(ours, theirs) for ours, theirs in pairs if ours and theirs]
        return (
            ([ours for ours, _ in found], [theirs for _, theirs in found])
            if found and len(found) == len(pairs)
            else None
        )

    def scores(self, key: Key) -> list[dict[str, float]] | None:
        """Per seed the item scores whose mean is the metric; None when it is no such mean."""
        if key not in self._scores:
            self._scores[key] = scores_of(self.done, self.evaluators.get(key, ""), (bare(key[0]), key[1]))
        return self._scores[key]

    def column(self, key: Key, name: str) -> dict[str, Any] | None:
        """Item -> weight or cluster behind a metric, the same under every seed; None where the rows have
        none.
        """
        return self.done[0].column(self.evaluators.get(key, ""), name) if self.done else None


def group_of(record: Record) -> str:
    """What the records of one row have in common: everything but the seed."""
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
    parts = [
        host.get("cpu"),
        f"{host['cores']} cores" if host.get("cores") else "",
        "+".join(gpu) if isinstance(gpu, list) else gpu,
    ]
    return ", ".join(str(part) for part in parts if part) or "unknown machine"


def timed(record: Record) -> bool:
    """Whether it has times or memory of its machine."""
    return any(_absolute(metric.name) for _, metric in record.metrics)


def _as_it_is(record: Record) -> bool:
    config = record.run.get("config") or {}
    return (
        not record.baseline
        and record.run.get("verb") == "eval"
        and config.get("baseline_runtime") in (None, config.get("runtime"))
    )


def _absolute(name: str) -> bool:
    """Whether a metric is of the machine too: times and memory are, ratios measured in turns are not."""
    return name.startswith("latency/") and not name.endswith("_ratio")


def _here(record: Record, machines: list[str]) -> Iterator[tuple[str, Metric]]:
    """A record's metrics; the times of any machine but the first bear its name, so that no axis, column or
    comparison mixes two.
    """
    machine = machine_of(record)
    for evaluator, metric in record.metrics:
        if metric.name == RATIO and _as_it_is(record):
            continue  # to itself
        other = len(machines) > 1 and machine != machines[0] and _absolute(metric.name)
        yield evaluator, replace(metric, name=f"{metric.name} @ {machine}") if other else metric


def make_row(group: list[Record], machines: list[str]) -> Row:
    """One record per seed: the last finished one if there are several, else the last."""
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
    named = [one for record in row.done for one in _here(record, machines)]
    for evaluator, metric in named:
        row.evaluators.setdefault((metric.name, metric.segment), evaluator)
    for key in row.evaluators:
        same_key = [metric for _, metric in named if (metric.name, metric.segment) == key]
        row.metrics[key] = across_seeds(same_key)
    return row
