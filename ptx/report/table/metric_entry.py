"""One metric of result.json, read field by field: a stranger's record may hold anything that JSON can.

What has no sense is not guessed at: the metric is left out, or has no value, and a sentence names the file,
the field and the value. The same metric of two runs must have one unit and one direction; a unit of the same
kind (ms beside s) is converted, as the numbers can then be compared, and that is said too.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ptx.records import Metric
from ptx.report.table.units import BYTES, PERCENT, SECONDS
from ptx.stats import FRACTIONS

if TYPE_CHECKING:
    from ptx.report.table.records import Record

LARGEST = 1e300  # beyond it, sums and axes overflow
BOUNDS = {"value": math.nan, "low": -math.inf, "high": math.inf}
TEXTS = ("name", "unit", "segment", "note", "evaluator")
FIELDS = ("name", "unit", "segment", "note", "evaluator", "value", "low", "high", "n", "better")
_fields = operator.itemgetter(*FIELDS)
#: unit -> (kind, its size in the kind's first unit)
SIZES: dict[str, tuple[str, float]] = {
    **dict.fromkeys(SECONDS, ("time", 1.0)),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), ("time", 1e-3)),
    **dict.fromkeys(("us", "µs", "microseconds"), ("time", 1e-6)),
    **dict.fromkeys(BYTES, ("bytes", 1.0)),
    **{name: ("bytes", 10.0**power) for name, power in (("kB", 3), ("MB", 6), ("GB", 9))},
    **{name: ("bytes", 1024.0**power) for name, power in (("KiB", 1), ("MiB", 2), ("GiB", 3))},
    **dict.fromkeys(FRACTIONS, ("share", 1.0)),
    **dict.fromkeys(PERCENT, ("share", 0.01)),
}


class UnusableError(ValueError):
    """A metric that cannot be used; the message names the field."""


def read_metric(entry: dict[str, Any], place: str) -> tuple[str, Metric, list[str]]:
    """(Evaluator, metric, problems) of one entry; ``place`` is its file and position.

    Raises:
        UnusableError: a field has no sense.
    """
    usual = _usual(entry)
    if usual is not None:
        return *usual, []
    texts = {key: _text(entry.get(key), place, key) for key in TEXTS}
    if not texts["name"]:
        raise UnusableError(f"{place} has no name")
    at = f"{place} ({texts['name']})"
    evaluator = texts.pop("evaluator") or texts["name"].partition("/")[0]
    numbers = {key: _number(entry.get(key), missing, at, key) for key, missing in BOUNDS.items()}
    problems = []
    if math.isnan(numbers["value"]) and not texts["note"]:
        problems.append(f"{at}: value is null, and no note says why")
    if texts["unit"] in FRACTIONS and not math.isnan(numbers["value"]) and not -1 <= numbers["value"] <= 1:
        raise UnusableError(
            f"{at}: value is {numbers['value']:g}, but a {texts['unit']} lies between 0 and 1"
        )
    if not (math.isnan(numbers["value"]) or numbers["low"] <= numbers["value"] <= numbers["high"]):
        raise UnusableError(
            f"{at}: value {numbers['value']:g} lies outside its interval"
            f" [{numbers['low']:g}, {numbers['high']:g}]"
        )
    better, n = entry.get("better") or "higher", entry.get("n") or 0
    if better not in ("higher", "lower"):
        raise UnusableError(f"{at}: better is {better!r:.40}, not higher or lower")
    if isinstance(n, bool) or not isinstance(n, int | float) or not 0 <= n < LARGEST:
        raise UnusableError(f"{at}: n is {n!r:.40}, not a number of items")
    metric = Metric(**texts, **numbers, better=better, n=int(n))  # type: ignore[arg-type]
    return evaluator, metric, problems


def _usual(entry: dict[str, Any]) -> tuple[str, Metric] | None:
    """(Evaluator, metric) of an entry as ptx writes it; None if anything about it needs a second look.

    Of 200,000 entries nearly all are such, and a look at each field in turn takes four times as long.
    """
    try:
        name, unit, segment, note, evaluator, value, low, high, n, better = _fields(entry)
    except KeyError:
        return None
    if not (type(name) is type(unit) is type(segment) is type(note) is type(evaluator) is str):
        return None
    if not (type(value) is type(low) is type(high) is float) or type(n) is not int:
        return None
    if not (name and evaluator and n >= 0 and -LARGEST <= low <= value <= high <= LARGEST):
        return None
    if better not in ("higher", "lower") or (unit in FRACTIONS and not -1 <= value <= 1):
        return None
    return evaluator, Metric(name, value, unit, better, low, high, n, segment, note)


def _text(value: Any, place: str, key: str) -> str:
    if value is not None and not isinstance(value, str):
        raise UnusableError(f"{place}: {key} is {value!r:.40}, not a text")
    return value or ""


def _number(value: Any, missing: float, at: str, key: str) -> float:
    if value is None:
        return missing
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableError(f"{at}: {key} is {value!r:.40}, not a number")
    if math.isnan(value) or (math.isinf(value) and key != "value"):
        return missing if math.isnan(value) else float(value)
    if abs(value) > LARGEST:
        raise UnusableError(f"{at}: {key} is {float(value):g}, too large for a table or an axis")
    return float(value)


def read_metrics(record: Record, entries: list[Any]) -> None:
    """Add the metrics of result.json to the record, and what is wrong with them to its problems."""
    seen = set()
    for index, entry in enumerate(entries):
        place = f"result.json: metrics[{index}]"
        try:
            evaluator, metric, problems = read_metric(entry, place)
        except UnusableError as error:
            record.problems.append(str(error))
            continue
        record.problems += problems
        key = metric.name, metric.segment
        if key in seen:
            name = " ".join(filter(None, key))
            record.problems.append(f"{place} ({name}) stands there twice; the first one counts")
            continue
        seen.add(key)
        record.metrics.append((evaluator, metric))


def agree(records: list[Record]) -> None:
    """Give each metric one unit and one direction in all records: those that most records have."""
    kinds: dict[str, Counter[tuple[str, str]]] = {}
    for record in records:
        for _, metric in record.metrics:
            kinds.setdefault(metric.name, Counter())[metric.unit, metric.better] += 1
    usual = {name: found.most_common(1)[0][0] for name, found in kinds.items() if len(found) > 1}
    for record in records if usual else []:
        record.metrics[:] = [
            (evaluator, fitting)
            for evaluator, metric in record.metrics
            if (fitting := _fitting(record, metric, usual.get(metric.name))) is not None
        ]


def _fitting(record: Record, metric: Metric, usual: tuple[str, str] | None) -> Metric | None:
    if usual is None or (metric.unit, metric.better) == usual:
        return metric
    at, unit = f"result.json: {metric.name}", usual[0]
    if metric.better != usual[1]:
        record.problems.append(f"{at}: better is {metric.better}, in most runs {usual[1]}; it is left out")
        return None
    mine, theirs = SIZES.get(metric.unit), SIZES.get(unit)
    if mine is None or theirs is None or mine[0] != theirs[0]:
        record.problems.append(
            f"{at}: unit is {metric.unit!r}, in most runs {unit!r}, which cannot be converted; it is left out"
        )
        return None
    factor = mine[1] / theirs[1]
    if factor != 1:
        record.problems.append(f"{at}: unit is {metric.unit!r}, in most runs {unit!r}; it was converted")
    value, low, high = (end * factor for end in (metric.value, metric.low, metric.high))
    return replace(metric, unit=unit, value=value, low=low, high=high)
