"""The data of the page: everything that its script draws, as one value of plain JSON.

The page's code holds no number and the data holds no markup, so a live page can draw new data with the same
code. Whatever grows with the rows is packed; details are there for the rows that a reader looks at first
(:mod:`ptx.report.table.shown`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptx.report.decision.decide import Decision
from ptx.report.formats.view import Table, View
from ptx.report.page.cost import cost_data
from ptx.report.page.effects import effects_of
from ptx.report.page.failures import failures_data
from ptx.report.page.lineage import lineage_data
from ptx.report.page.packed import packed
from ptx.report.page.pairs import pairs_data
from ptx.report.page.rows import metrics_data, rows_data, settings_data
from ptx.report.page.samples import samples_data
from ptx.report.page.steps import by_chain, links_of
from ptx.report.page.training import training_data
from ptx.report.plots.choose import Picture
from ptx.report.table.frame import Frame
from ptx.report.table.metric_names import short_name
from ptx.report.table.row import Row
from ptx.report.text.details import failures_of, problems_of, works_of
from ptx.report.text.made import made_of
from ptx.report.text.notes import Note
from ptx.report.text.provenance import Provenance
from ptx.report.text.spans import Sentence
from ptx.stats.pareto import Place

COMPARED, DETAILED = 12, 60  # rows with samples and pairs; rows with links and a lineage
MOST_CELLS = 24_000  # of all segment tables
LONGEST = 4000


def page_data(
    view: View,
    decision: Decision,
    places: dict[int, Place],
    notes: Sequence[Note],
    provenance: Provenance,
) -> dict[str, Any]:
    """The whole value; the rows are named by their place in the table, from 0."""
    frame = view.frame
    first = rows_first(view, decision, places)
    failures = failures_of(frame)
    made = made_of(frame)
    index = {name: number for number, name in enumerate(frame.names)}
    return {
        "schema": 1,
        "sentence": sentence_data(decision.sentence),
        "cards": _cards(decision),
        "matrix": _matrix(decision),
        "notes": [[sentence_data(one.head), [sentence_data(line) for line in one.more]] for one in notes],
        "axes": {
            "quality": index.get(frame.headline or ""),
            "costs": [index[name] for name in frame.axes if name in index],
        },
        "reference": frame.reference_name,
        "rows": rows_data(view, places),
        "settings": settings_data(view),
        "metrics": metrics_data(view),
        "columns": [index[name] for name in frame.columns if name in index],
        "pairs": pairs_data(view, first[:COMPARED]),
        "links": _links(view, first[:DETAILED]),
        "effects": _effects(view),
        "segments": _segments(view),
        "samples": samples_data(frame, first[:COMPARED]),
        "training": training_data(frame, first[:DETAILED]),
        "cost": cost_data(frame, works_of(frame)),
        "lineage": lineage_data(frame, first[:DETAILED]),
        "made": [made.heads, [[name, numbers, len(used)] for name, numbers, used in made.lines[:LONGEST]]],
        "failures": failures_data(failures),
        "problems": [[text[:LONGEST], runs[:5], len(runs)] for text, runs in problems_of(frame)[:200]],
        "provenance": [
            [name, [value[:LONGEST] for value in values[:20]], len(values)]
            for name, values in provenance.lines
        ],
    }


def fronts_data(frame: Frame, pictures: Sequence[Picture]) -> dict[str, list[list[int]]]:
    """The rows on the front of each picture, and those possibly on it, by the metric across."""
    index = {name: number for number, name in enumerate(frame.names)}
    return {
        str(index[one.cost]): [
            [number - 1 for number, place in one.places.items() if place.standing == standing]
            for standing in ("front", "near")
        ]
        for one in pictures
    }


def sentence_data(sentence: Sentence) -> list[list[Any]]:
    """A sentence as (text, bold) pairs."""
    return [[span.text[:LONGEST], int(span.strong)] for span in sentence]


def rows_first(view: View, decision: Decision, places: dict[int, Place]) -> list[Row]:
    """The rows with results that a reader looks at first: baselines, finalists, the front, the others."""
    rank = {"front": 2, "near": 3}
    finalists = {line.row.number: place for place, line in enumerate(decision.matrix.lines)}
    references = {row.reference.number for row in view.frame.rows if row.reference}

    def order(row: Row) -> tuple[int, int]:
        if row.baseline or row.number in references:
            return 0, row.number
        if row.number in finalists:
            return 1, finalists[row.number]
        place = places.get(row.number)
        return rank.get(place.standing, 4) if place else 5, row.number

    return sorted((row for row in view.rows if row.done), key=order)


def _place(row: Row) -> int:
    return row.number - 1  # the frame numbers its rows in their order, from 1


def _cards(decision: Decision) -> list[dict[str, Any]]:
    return [
        {
            "kind": card.kind,
            "title": card.title,
            "row": _place(card.row) if card.row else None,
            "value": card.value,
            "against": card.against,
            "peers": [_place(row) for row in card.peers[:6]],
            "more": max(0, len(card.peers) - 6),
            "warning": card.warning,
        }
        for card in decision.cards
    ]


def _matrix(decision: Decision) -> dict[str, Any]:
    return {
        "gate": decision.matrix.gate,
        "usual": decision.usual,
        "heads": [list(head) for head in decision.matrix.heads],
        "lines": [
            [
                _place(line.row),
                line.state,
                [[cell.verdict, cell.short, cell.note[:LONGEST]] for cell in line.cells],
            ]
            for line in decision.matrix.lines
        ],
    }


def _links(view: View, rows: Sequence[Row]) -> dict[str, list[dict[str, Any]]]:
    index = {name: str(number) for number, name in enumerate(view.frame.names)}
    known = by_chain(view.frame)
    return {
        str(_place(row)): [
            {
                "before": _place(link.before),
                "after": _place(link.after),
                "steps": [name[:80] for name in link.steps],
                "changes": {
                    index[name]: [
                        packed((one.difference.value, one.difference.low, one.difference.high), 5),
                        one.mark,
                    ]
                    for name, one in link.changes.items()
                },
            }
            for link in links
        ]
        for row in rows
        if (links := links_of(view.frame, row, known))
    }


def _effects(view: View) -> list[dict[str, Any]]:
    index = {name: number for number, name in enumerate(view.frame.names)}
    return [
        {
            "setting": one.setting,
            "metric": index[name],
            "levels": [
                [level.value[:80], packed((level.effect, level.low, level.high, level.blocks), 5)]
                for level in one.levels
            ],
        }
        for name in view.frame.objectives
        for one in effects_of(view.frame, name)
    ]


def _segments(view: View) -> list[dict[str, Any]]:
    tables = view.segments()
    cells = sum(len(table.columns) for table in tables) or 1
    most = max(10, MOST_CELLS // cells)
    return [_segment(table, most) for table in tables]


def _segment(table: Table, most: int) -> dict[str, Any]:
    return {
        "title": table.title,
        "columns": [
            [column.group[:90], column.title[:90], column.unit, column.items, short_name(column.name)]
            for column in table.columns
        ],
        "lines": [
            [
                _place(line.row),
                [[cell.value, cell.interval, cell.mark, cell.heat, cell.note[:400]] for cell in line.cells],
            ]
            for line in table.lines[:most]
        ],
    }
