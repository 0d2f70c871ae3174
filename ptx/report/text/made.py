"""The data that the steps of a report have made: a line per dataset, with what went in and what came out."""

from __future__ import annotations

from typing import NamedTuple

from ptx.report.table.frame import Frame

#: the number that a maker logs -> the head of its column; a column that no dataset has is left out
COLUMNS = {
    "rows_in": "rows in",
    "rows_out": "rows out",
    "acceptance": "acceptance",
    "mean_score": "mean score",
    "best_score": "best score",
    "consistency": "consistency",
    "kappa": "kappa",
    "agreement": "agreement",
    "tokens": "tokens",
    "unfinished": "unfinished",
    "unscored": "unscored",
}
SHARES = ("acceptance", "consistency", "agreement")


class Made(NamedTuple):
    """The heads of the numbers; (name of the step, its numbers as text, the rows that use it) by dataset."""

    heads: list[str]
    lines: list[tuple[str, list[str], list[str]]]


def made_of(frame: Frame) -> Made:
    """Every dataset that a step has made, once."""
    steps: dict[str, dict[str, object]] = {}
    used: dict[str, list[str]] = {}
    for row in frame.rows:
        for record in row.records:
            for step in record.result.get("steps") or []:
                if step.get("kind") == "make":
                    steps[str(step.get("key"))] = step
                    used.setdefault(str(step.get("key")), []).append(row.label)
    numbers = {key: _numbers(step) for key, step in steps.items()}
    shown = [name for name in COLUMNS if any(name in found for found in numbers.values())]
    lines = [
        (
            str(step.get("name")),
            [_text(name, numbers[key].get(name)) for name in shown],
            list(dict.fromkeys(used[key])),
        )
        for key, step in steps.items()
    ]
    return Made([COLUMNS[name] for name in shown], lines)


def _numbers(step: dict[str, object]) -> dict[str, float]:
    metrics = step.get("metrics")
    found = metrics.items() if isinstance(metrics, dict) else ()
    return {str(name): float(value) for name, value in found if isinstance(value, int | float)}


def _text(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1%}" if name in SHARES else f"{value:,.4g}" if value % 1 else f"{value:,.0f}"
