"""Answers side by side: the same items through the models that a reader compares.

Items on which the models differ come first, and those without a score: an item that all models answer alike
tells nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ptx.report.table.frame import Frame
from ptx.report.table.row import Row
from ptx.stats.items import OK, status_of

MOST_ITEMS = 60  # per evaluator
LONGEST = 600  # characters of a text
HIDDEN = {"item", "scores", "segments", "output", "latency", "beside", "weight", "cluster", "status"}


def samples_data(frame: Frame, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Per evaluator with outputs: its items, with the answer and the score of each row."""
    names = dict.fromkeys(name for row in rows for name in row.evaluators.values())
    found = [_evaluator(frame, rows, name) for name in names]
    return [one for one in found if one["items"]]


def _evaluator(frame: Frame, rows: Sequence[Row], evaluator: str) -> dict[str, Any]:
    place = {row.number: index for index, row in enumerate(frame.rows)}
    score = _score_name(frame, rows, evaluator)
    lower = score is not None and frame.sample(score).better == "lower"
    items: dict[str, dict[str, Any]] = {}
    for row in rows:
        for line in row.done[0].rows(evaluator) if row.done else ():
            if "output" in line:
                one = items.setdefault(str(line.get("item")), {"line": line, "answers": {}})
                one["answers"][str(place[row.number])] = _answer(line, evaluator, score)
    order = sorted(items, key=lambda item: -_interest(items[item]["answers"]))
    return {
        "evaluator": evaluator,
        "score": score,
        "lower": lower,
        "of": len(items),
        "items": [_item(name, items[name]) for name in order[:MOST_ITEMS]],
    }


def _score_name(frame: Frame, rows: Sequence[Row], evaluator: str) -> str | None:
    """The score that a reader understands: the first metric of the evaluator that items of it have."""
    for name in [*frame.primary, *frame.names]:
        row = next((row for row in rows if row.evaluators.get((name, "")) == evaluator), None)
        if row is not None and name != frame.headline and row.scores((name, "")):
            return name
    return None


def _answer(line: Mapping[str, Any], evaluator: str, name: str | None) -> list[Any]:
    """(Score or None, status or "", output)."""
    scores = line.get("scores") or {}
    known = [scores.get(name), scores.get(str(name).removeprefix(f"{evaluator}/"))] if name else []
    # an item of another task than the metric's: its own first score of 0 or 1
    known += [value for key, value in scores.items() if value in (0, 1)]
    score = next((float(v) for v in known if isinstance(v, int | float) and math.isfinite(v)), None)
    status = status_of(dict(line))
    return [score, "" if status == OK else status[:60], shortened(line.get("output", ""))]


def _interest(answers: Mapping[str, list[Any]]) -> int:
    scores = {answer[0] for answer in answers.values()}
    statuses = any(answer[1] for answer in answers.values())
    return 4 * statuses + 2 * (len(scores) > 1) + (len({answer[2] for answer in answers.values()}) > 1)


def _item(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    shared = [
        [str(key)[:60], shortened(value)]
        for key, value in one["line"].items()
        if key not in HIDDEN and isinstance(value, str | int | float)
    ]
    return {"item": name[:120], "shared": shared[:8], "answers": one["answers"]}


def shortened(value: Any) -> str:
    """A text, or its beginning."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    more = len(text) - LONGEST
    return text if more <= 0 else f"{text[:LONGEST]}… ({more:,} characters more)"
