"""Make metrics with intervals, segments and rows from lm-eval's results.

A metric's value is lm-eval's own aggregate, unchanged. Its interval comes from the per-example values:
Wilson's if they are all 0 or 1, Student's if the aggregate is their mean. For other aggregates (perplexities,
BLEU, F1 over all examples) it is a seeded bootstrap over examples with the task's own aggregation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval.api.task import ConfigurableTask

from ptx import Better, Metric, stats
from ptx.stats.items import item_ids, latency_column
from ptx_bench.cuts import Cuts
from ptx_bench.shares import Shares

SEGMENTS = ("skill", "language", "difficulty")
MEAN = "bench/mean"
BOOTSTRAP_SEED, REPEATS = 0, 200
SHOWN = 2000  # characters of a prompt or an output that a row keeps
UNITS = {"perplexity": "perplexity", "bits_per_byte": "bits/byte"}


@dataclass
class Results:
    """The results of one or two calls of lm-eval's evaluator."""

    tasks: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    higher: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    def add(self, tasks: dict[str, Any], found: dict[str, Any]) -> None:
        """Add the results of ``tasks``."""
        self.tasks |= tasks
        self.samples |= found["samples"]
        self.values |= found["results"]
        self.higher |= found["higher_is_better"]
        self.groups |= {name: leaves(found["group_subtasks"], name) for name in found.get("groups", {})}


def leaves(children: dict[str, list[str]], name: str) -> list[str]:
    """The tasks below a group."""
    return [
        leaf
        for child in children.get(name, [])
        for leaf in (leaves(children, child) if child in children else [child])
    ]


@dataclass(frozen=True)
class Score:
    """One metric of one task under one filter, with its per-example values.

    ``examples`` are lm-eval's samples.
    """

    name: str
    task: str
    key: str  # lm-eval's: metric,filter
    value: float
    values: list[Any]
    examples: list[dict[str, Any]]
    better: Better

    @property
    def is_mean(self) -> bool:
        """Whether the aggregate is the mean of the per-example values."""
        if not all(isinstance(value, int | float) for value in self.values):
            return False
        return math.isclose(
            math.fsum(self.values) / len(self.values), self.value, rel_tol=1e-9, abs_tol=1e-12
        )

    @property
    def is_fraction(self) -> bool:
        """Whether it is a mean of values between 0 and 1."""
        return self.is_mean and all(0 <= value <= 1 for value in self.values)

    @property
    def unit(self) -> str:
        """The unit of the number."""
        return (
            "fraction"
            if self.is_fraction
            else next((unit for part, unit in UNITS.items() if part in self.key), "score")
        )


def measured(results: Results) -> list[Metric]:
    """All metrics: of tasks, their segments, groups, and the mean over tasks."""
    scores = [score for task in results.tasks for score in scores_of(results, task)]
    metrics = [
        metric
        for score in scores
        for metric in (whole(score, results.tasks[score.task]), *by_segment(score, results.tasks[score.task]))
    ]
    metrics += [
        metric for name, tasks in results.groups.items() for metric in of_group(results, scores, name, tasks)
    ]
    return [*metrics, *over_tasks(primaries(scores))]


def scores_of(results: Results, task: str) -> Iterator[Score]:
    """The metrics of a task in lm-eval's order; a filter is named where the task has several."""
    samples = results.samples[task]
    filters = list(dict.fromkeys(sample["filter"] for sample in samples))
    for key, value in results.values[task].items():
        metric, _, chosen = key.partition(",")
        if not chosen or metric.endswith("_stderr"):
            continue
        examples = [sample for sample in samples if sample["filter"] == chosen and metric in sample]
        suffix = f".{chosen}" if len(filters) > 1 else ""
        better: Better = "lower" if results.higher[task].get(metric) is False else "higher"
        values = [sample[metric] for sample in examples]
        yield Score(f"bench/{task}/{metric}{suffix}", task, key, float(value), values, examples, better)


def whole(score: Score, task: Any) -> Metric:
    """The metric over all examples."""
    low, high = interval(score, task)
    return Metric(
        score.name,
        score.value,
        score.unit,
        score.better,
        min(low, score.value),
        max(high, score.value),
        len(score.values),
    )


def interval(score: Score, task: Any) -> tuple[float, float]:
    """The 95 % interval of a score."""
    if score.is_mean:
        return mean_bounds(score.values)
    aggregate = task.aggregation()[score.key.partition(",")[0]]
    _, low, high = stats.bootstrap(
        score.values, lambda drawn: float(aggregate(list(drawn))), BOOTSTRAP_SEED, REPEATS
    )
    return low, high


def mean_bounds(values: Sequence[float]) -> tuple[float, float]:
    """The interval of a mean of scores, which lie between 0 and 1 if all values do."""
    inside = all(0 <= value <= 1 for value in values)
    scores = [float(value) for value in values]
    return stats.score_interval(scores, span=(0.0, 1.0) if inside else None)[1:]


def by_segment(score: Score, task: Any) -> Iterator[Metric]:
    """The metric over each part of the examples that shares a value of a segment field."""
    if not score.is_mean:
        return
    for dimension in segment_fields(task):
        parts: dict[str, list[float]] = {}
        for value, example in zip(score.values, score.examples, strict=True):
            if dimension in example["doc"]:
                parts.setdefault(str(example["doc"][dimension]), []).append(float(value))
        for name, values in sorted(parts.items()):
            mean = math.fsum(values) / len(values)
            low, high = mean_bounds(values)
            segment = f"{dimension}={name}"
            yield Metric(
                score.name,
                mean,
                score.unit,
                score.better,
                min(low, mean),
                max(high, mean),
                len(values),
                segment,
            )


def segment_fields(task: Any) -> Sequence[str]:
    """The fields of a task's items that say what part an item belongs to."""
    return tuple((task.config.metadata or {}).get("segments", SEGMENTS))


def primaries(scores: Sequence[Score]) -> list[Score]:
    """Each task's first metric between 0 and 1."""
    first: dict[str, Score] = {}
    for score in scores:
        if score.is_fraction and score.better == "higher":
            first.setdefault(score.task, score)
    return list(first.values())


def over_tasks(scores: Sequence[Score]) -> list[Metric]:
    """The mean of the tasks' primary metrics, every task weighing the same."""
    if not scores:
        return []
    weight = 1 / len(scores)
    return [
        stratified(
            MEAN, math.fsum(score.value for score in scores) * weight, [(score, weight) for score in scores]
        )
    ]


def of_group(results: Results, scores: Sequence[Score], group: str, tasks: list[str]) -> Iterator[Metric]:
    """A group's metrics with lm-eval's own value.

    For the interval a task weighs as much as its size if that gives lm-eval's value, else all weigh the same.
    """
    for key, value in results.values[group].items():
        metric, _, chosen = key.partition(",")
        parts = [score for score in scores if score.task in tasks and score.key == key]
        if (
            not chosen
            or metric.endswith("_stderr")
            or not isinstance(value, int | float)
            or not all(part.is_fraction for part in parts)
        ):
            continue
        total = sum(len(part.values) for part in parts)
        by_size = math.isclose(
            math.fsum(part.value * len(part.values) for part in parts) / total, value, rel_tol=1e-9
        )
        yield stratified(
            f"bench/{group}/{metric}",
            float(value),
            [(part, len(part.values) / total if by_size else 1 / len(parts)) for part in parts],
        )


def stratified(name: str, value: float, parts: Sequence[tuple[Score, float]]) -> Metric:
    """A weighted mean of fractions over disjoint sets of examples: their squared half-widths add up."""
    half = 0.0
    for score, weight in parts:
        low, high = mean_bounds(score.values)
        half += (weight * (high - low) / 2) ** 2
    low, high = max(0.0, value - math.sqrt(half)), min(1.0, value + math.sqrt(half))
    return Metric(
        name,
        value,
        "fraction",
        parts[0][0].better,
        min(low, value),
        max(high, value),
        sum(len(score.values) for score, _ in parts),
    )


def rows(results: Results, shares: Shares, cuts: Cuts) -> list[dict[str, Any]]:
    """One row per task and example, the same item for every model."""
    scores = [score for task in results.tasks for score in scores_of(results, task)]
    main = primaries(scores)
    total = sum(len(score.values) for score in main)
    names = {task: items_of(results.tasks[task], task, samples) for task, samples in results.samples.items()}
    made: dict[str, dict[str, Any]] = {}
    for score in scores:
        # scaled so that the plain mean over all rows is the mean over tasks; with tasks of one size the
        # factor is 1
        share = total / (len(main) * len(score.values)) if score in main else 0.0
        for value, example in zip(score.values, score.examples, strict=True):
            item = names[score.task][example["doc_id"]]
            if item not in made:
                made[item] = new_row(item, example, results.tasks[score.task]) | latency_column(
                    shares.of(example["arguments"])
                )
                if lost := cuts.of(example["arguments"]):
                    made[item]["cut"] = lost
            if isinstance(value, int | float):
                made[item]["scores"][score.name] = float(value)
                made[item]["scores"] |= {MEAN: float(value) * share} if share else {}
    return list(made.values())


def items_of(task: Any, name: str, samples: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Item names by lm-eval's document number; a name is the task and a digest of the document's content."""
    # a task with several filters has one sample per filter
    distinct = {sample["doc_id"]: sample for sample in samples}
    return dict(
        zip(distinct, item_ids(name, (content_of(task, sample) for sample in distinct.values())), strict=True)
    )


def content_of(task: Any, sample: dict[str, Any]) -> list[Any]:
    """The question and the right answer of a document, without few-shot examples and chat template.

    A task with its own Python to judge answers may read any column; there the whole document is the content.
    """
    doc, config = sample["doc"], task.config
    if config.process_results is not None or type(task) is not ConfigurableTask:
        return [doc]
    choices = task.doc_to_choice(doc) if config.doc_to_choice is not None else None
    return [task.doc_to_text(doc), choices, sample["target"]]


def new_row(item: str, example: dict[str, Any], task: Any) -> dict[str, Any]:
    """The row of an example, without scores."""
    arguments = [list(request) for request in example["arguments"]]
    prompt = str(arguments[0][0])
    segments = {name: str(example["doc"][name]) for name in segment_fields(task) if name in example["doc"]}
    choices = choices_of(arguments) if task.OUTPUT_TYPE == "multiple_choice" else []
    target = example["target"]
    shown = (
        choices[target] if choices and isinstance(target, int) and 0 <= target < len(choices) else str(target)
    )
    return {
        "item": item,
        "scores": {},
        "segments": segments,
        "prompt": prompt if len(prompt) <= SHOWN else f"…{prompt[-SHOWN:]}",
        "output": output_of(example, choices).strip()[:SHOWN],
        "target": shown.strip()[:SHOWN],
    }


def choices_of(arguments: list[list[Any]]) -> list[str]:
    """The choices of an item: continuations of one context, or (Winograd style) contexts of one continuation.

    For some metrics lm-eval also scores each continuation without its context; those requests come last.
    """
    same = [str(continuation) for context, continuation in arguments if context == arguments[0][0]]
    return same if len(same) > 1 else [f"{context}{continuation}" for context, continuation in arguments]


def output_of(example: dict[str, Any], choices: Sequence[str]) -> str:
    """The model's answer: the likeliest choice, or the text that it generated."""
    answers = [response[0] for response in example["resps"]]
    if choices:
        likeliest = max(range(len(choices)), key=lambda index: float(answers[index][0]))
        return choices[likeliest]
    return str(answers[0])
