"""A report's section: the judges, their checks, and the order of the runs. Reads records only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ptx import Metric
from ptx.stats.words import between
from ptx_judge import rank
from ptx_judge.outcomes import UNCHECKED, WIN_RATE

FEWEST = 3  # runs; for two, the win-rate gives the order


def sections(records: Sequence[Any]) -> list[str]:
    """One HTML fragment, or none if no run was judged."""
    judged = [(record, rows) for record in records if record.status == "done" and (rows := _rows(record))]
    if not judged:
        return []
    lines = "".join(_line(record, rows) for record, rows in judged)
    table = (
        "<div class='scroll'><table><thead><tr><th>run</th><th>judge</th><th class='num'>kappa with"
        f" people</th><th class='num'>win-rate</th><th></th></tr></thead><tbody>{lines}</tbody></table></div>"
    )
    orders = "".join(
        _order(folder, [pair for pair in judged if pair[0].folder.parent == folder])
        for folder in _folders(judged)
    )
    return [f"<h2 id='judge'>Judge</h2>{table}{orders}"]


def _rows(record: Any) -> dict[str, dict[str, Any]]:
    names = [part["name"] for part in record.result.get("evaluations") or []]
    return {str(row["item"]): row for name in names for row in record.rows(name) if "judge" in row}


def _folders(judged: Sequence[tuple[Any, Any]]) -> list[Path]:
    return list(dict.fromkeys(record.folder.parent for record, _ in judged))


def _metric(record: Any, name: str) -> Metric | None:
    return next((metric for _, metric in record.metrics if metric.name == name and not metric.segment), None)


def _line(record: Any, rows: dict[str, dict[str, Any]]) -> str:
    name = next((name for name in (WIN_RATE, UNCHECKED) if _metric(record, name)), UNCHECKED)
    kappa = _metric(record, f"{name}/kappa")
    mark = (
        ""
        if name == WIN_RATE
        else "⚠ agrees too little with people"
        if kappa
        else "⚠ never checked against people"
    )
    signed = str(next(iter(rows.values()))["judge"])
    cells = [_label(record), signed]
    return (
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}<td class='num'>{_number(kappa)}</td>"
        f"<td class='num'>{_number(_metric(record, name))}</td><td>{mark}</td></tr>"
    )


def _label(record: Any) -> str:
    return str(record.run.get("label") or record.id)


def _number(metric: Metric | None) -> str:
    return (
        "-"
        if metric is None or math.isnan(metric.value)
        else f"{metric.value:.3f}<small>{between(metric.low, metric.high)}</small>"
    )


def _order(folder: Path, judged: Sequence[tuple[Any, dict[str, dict[str, Any]]]]) -> str:
    """The runs of one sweep in the order of Bradley and Terry's strengths.

    They follow from the sweep's rounds, else from the scores of a judge that scores single answers.
    """
    labels = {record.id: _label(record) for record, _ in judged}
    if len(labels) < FEWEST:
        return ""
    rounds = rank.kept(folder)
    if not rounds and not any("said" in row for _, rows in judged for row in rows.values()):
        margin = float(_margin(judged[0][0]))
        rounds = rank.rounds_by_score({record.id: rows for record, rows in judged}, "judge/score", margin)
    if not rounds:
        return (
            "<p class='hint'>No order of these runs: each was only compared with its baseline; <code>ptx"
            " judge rank</code> asks about all pairs.</p>"
        )
    found = rank.order(rounds, list(labels))
    if found is None:
        return (
            "<p class='hint'>No order of these runs: some never won a game, or never lost one, so Bradley and"
            " Terry's strengths have no estimate.</p>"
        )
    body = "".join(
        f"<tr><td>{escape(labels[name])}</td><td"
        f" class='num'>{value:+.3f}<small>{between(low, high, '+.3f')}</small></td></tr>"
        for name, value, low, high in found
    )
    return (
        "<h3>Every run against every other</h3><p class='hint'>Strengths in logits (Bradley and Terry 1952),"
        " mean 0: a run that is 1 above another wins 73 % of their games. Ties are half a win each;"
        " intervals are a bootstrap over questions.</p><div class='scroll'><table><thead><tr><th>run</th><th"
        f" class='num'>strength</th></tr></thead><tbody>{body}</tbody></table></div>"
    )


def _margin(record: Any) -> float:
    evaluators = (record.run.get("config") or {}).get("eval") or {}
    return next(
        (
            float(part["margin"])
            for part in evaluators.values()
            if isinstance(part, dict) and "margin" in part
        ),
        0.0,
    )
