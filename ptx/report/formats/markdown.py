"""The report as Markdown, for pull requests and terminals.

It has the decision of the HTML page, the front and ten rows; every value stands on one line with its interval
and n.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ptx.report.decision.cards import Card
from ptx.report.decision.decide import Decision
from ptx.report.formats.view import Cell, Table, View
from ptx.report.plots.choose import Picture
from ptx.report.table.metric_names import column_head
from ptx.report.table.row import Row
from ptx.report.table.shown import rows_left_out, shown_rows
from ptx.report.table.units import MINUS, NOTHING, duration, scale_of
from ptx.report.text.details import Failure, Work, failures_of, problems_of, works_of
from ptx.report.text.made import Made, made_of
from ptx.report.text.notes import Note
from ptx.report.text.provenance import Provenance
from ptx.report.text.spans import Sentence

BUDGET = 58_000  # bytes of the whole, as a pull request takes 65,536 characters
MOST_ROWS = 10  # rows of a table: a pull request wants the front
MOST_LINES = 12  # sentences below a note
LONGEST = 600  # characters of a message or a command
BRIEF = 90  # characters of a column's head
MOST_TEXT = 4000  # characters of a part of a sentence
MOST_NAMES = 40  # names in a sentence
ORDER = (
    "Problems in the records",
    "Segments",
    "All metrics",
    "Steps and evaluations",
    "Failures and unfinished runs",
    "Where the numbers come from",
)
#: an escaped interval, whose brackets are safe: it holds numbers only, and no link can follow it
INTERVAL = re.compile(rf"\\\[(no interval|[+{MINUS}∞\d.,\s]+)\\\](?![(\[:])")
ELSEWHERE = (
    "Filters, trade-offs, samples, training curves and lineage: report.html. Every number: report.csv and"
    " report.json."
)
LEGEND = (
    "▲ better, ▼ worse, ≈ no difference beyond noise, ? too few items to say, = equal within 0.5 %; against"
    " {base}, paired by item where the metric allows it, Holm-corrected at 5 % (per column; quality, latency"
    " and size together; all segments together). So an interval that only just excludes"
    " zero can be ≈: among many runs, some do so by chance. Intervals are 95 %, n counts items. Latencies"
    " that were measured in turns with the baseline's are compared request by request, because the speed of"
    " a shared machine varies."
)


def render_markdown(
    title: str,
    view: View,
    decision: Decision,
    notes: Sequence[Note],
    pictures: Sequence[Picture],
    provenance: Provenance,
) -> str:
    """The text of the Markdown file."""
    for limit in (MOST_ROWS, 1):  # very long names leave room for few rows
        rows = shown_rows(view.frame, limit)
        head = [f"# {escape(title[:LONGEST])}", *(f"> {escape(note)}" for note in provenance.notes)]
        first = [*head, *_decision(decision), *_first(view, notes, pictures, rows)]
        if sum(len(part.encode(errors="replace")) for part in first) < BUDGET:
            break
    failures = failures_of(view.frame)
    more = [
        ("Problems in the records", _problems(problems_of(view.frame))),
        ("Failures and unfinished runs", _failures(failures[:MOST_ROWS]) if failures else ""),
        ("Where the numbers come from", _provenance(provenance.lines)),
        ("Data that was made", _made(made_of(view.frame))),
        ("Steps and evaluations", _works(works_of(view.frame))),
        (
            "Segments",
            "\n\n".join(f"### By {escape(one.title)}\n\n{_segment(one)}" for one in view.segments()),
        ),
        ("All metrics", _everything(view, rows) if view.frame.names else ""),
    ]
    return _within_budget(first, [pair for pair in more if pair[1]])


def _decision(decision: Decision) -> list[str]:
    """The sentence, the cards, and the gate matrix."""
    cards = [_card(card) for card in decision.cards if card.row is not None]
    return [part for part in (_sentence(decision.sentence), "\n".join(cards), _gates(decision)) if part]


def _card(card: Card) -> str:
    assert card.row is not None
    parts = [card.value, *([card.against] if card.against else [])]
    peers = f" As good within noise: {_list([row.label for row in card.peers])}." if card.peers else ""
    warning = f" ⚠ {escape(card.warning[:LONGEST])}." if card.warning else ""
    text = INTERVAL.sub(r"[\1]", escape(", ".join(parts)))
    return f"- {card.title}: **{escape(card.row.label)}**, {text}.{peers}{warning}"


def _gates(decision: Decision) -> str:
    matrix = decision.matrix
    if not matrix.lines:
        return ""
    heads = [f"gate {matrix.gate}", *(f"{name} {words}" for name, words, _ in matrix.heads), "verdict"]
    words = {"ships": "ships", "fails": "fails", "undecided": "not yet sure"}
    rows = [
        [
            escape(line.row.label),
            *(f"{cell.sign} {escape(cell.short)}".strip() for cell in line.cells),
            words[line.state],
        ]
        for line in matrix.lines
    ]
    return _table([escape(_brief(head)) for head in heads], rows, len(heads))


def _first(view: View, notes: Sequence[Note], pictures: Sequence[Picture], rows: list[Row]) -> list[str]:
    """What the page begins with after the decision: the pictures, the table, the notes."""
    parts = [
        *(_picture(picture) for picture in pictures),
        "## Results",
        _main(view, rows),
        rows_left_out(view.frame, rows),
        escape(LEGEND.format(base=view.frame.reference_name)),
        "" if view.frame.headline else "No quality metric was recorded.",
        ELSEWHERE,
        _notes(notes),
    ]
    return [part for part in parts if part]


def _notes(notes: Sequence[Note]) -> str:
    """A line per note; what it counts is indented below it."""
    lines = []
    for note in notes:
        lines.append(f"- {_sentence(note.head)}")
        lines += [f"  - {_sentence(line)}" for line in note.more[:MOST_LINES]]
    return "\n".join(lines)


def _sentence(sentence: Sentence) -> str:
    texts = [(escape(span.text[:MOST_TEXT]), span.strong) for span in sentence]
    whole = "".join(f"**{text}**" if strong else text for text, strong in texts)
    return INTERVAL.sub(r"[\1]", whole)


def _within_budget(first: list[str], more: list[tuple[str, str]]) -> str:
    """The parts in the order of the page; those for which no room is left are named with their place."""
    left = BUDGET - sum(len(part.encode(errors="replace")) + 2 for part in first)
    kept, dropped = dict[str, str](), []
    for name, text in more:
        size = len(text.encode(errors="replace")) + len(name) + 8
        if size <= left:
            kept[name], left = text, left - size
        else:
            dropped.append(name)
    parts = first + [f"## {name}\n\n{kept[name]}" for name in ORDER if name in kept]
    parts += [f"Too long for this page, and in report.html: {', '.join(dropped)}."] if dropped else []
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text on one line that Markdown shows literally: no HTML, no links, no table breaks."""
    one_line = re.sub(r"\s+", " ", text)
    quoted = re.sub(
        r"([\\`*_\[\]|#~$])",
        r"\\\1",
        one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    )
    no_links = re.sub(r"(?i)\b(https?|ftp|mailto|xmpp|javascript|data):", r"\1&#58;", quoted)
    no_links = re.sub(r"(?i)\bwww\.", "www&#46;", no_links).replace("@", "&#64;")
    # what begins a list, a heading or a rule at the start of a line
    return re.sub(r"^(\s*)([-+=])|^(\s*\d{1,9})([.)])(?=\s|$)", _quoted, no_links)


def _quoted(found: re.Match[str]) -> str:
    before, sign = found.group(1, 2) if found.group(2) else found.group(3, 4)
    return f"{before}\\{sign}"


def _brief(name: str) -> str:
    return name if len(name) <= BRIEF else f"{name[:BRIEF]}…"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], right_from: int = 1) -> str:
    rule = [":--" if index < right_from else "--:" for index in range(len(heads))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, rule, *rows])


def _full(cell: Cell, *, marked: bool = True) -> str:
    mark = f" {cell.mark}" if marked and cell.mark else ""
    return (INTERVAL.sub(r"[\1]", escape(cell.full)) + mark) or NOTHING


def _delta(cell: Cell) -> str:
    return f"{cell.mark} {cell.delta}" if cell.delta else NOTHING


def _main(view: View, rows_shown: Sequence[Row]) -> str:
    table, numbers = view.main(), {row.number for row in rows_shown}
    heads = [
        "#",
        "run",
        *([f"Δ {escape(' '.join(column_head(view.frame.headline)))}"] if view.frame.headline else []),
    ]
    heads += [escape(_brief(f"{column.group} {column.title}")) for column in table.columns]
    rows = []
    for line in table.lines:
        if line.row.number not in numbers:
            continue
        seeds = (
            f" ({len(line.row.done)} of {len(line.row.records)} seeds)" if len(line.row.records) > 1 else ""
        )
        status = "" if line.row.status == "done" else f" ({line.row.status})"
        label = escape(line.row.label) + seeds + status
        rows.append(
            [
                str(line.row.number),
                label,
                *([_delta(line.delta)] if view.frame.headline else []),
                *(_full(cell) for cell in line.cells),
            ]
        )
    return _table(heads, rows, 2)


def _picture(picture: Picture) -> str:
    lines = [f"![{escape(picture.title)}]({picture.file})", f"On the front: {_list(picture.front)}."]
    lines += [f"Within noise of it: {_list(picture.near)}."] if picture.near else []
    lines += (
        [f"Not in the picture, as a value is missing: {_list(picture.missing)}."] if picture.missing else []
    )
    return f"{lines[0]}\n\n{' '.join(lines[1:])}"


def _list(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - MOST_NAMES} more" if len(labels) > MOST_NAMES else ""
    return ", ".join(escape(label) for label in labels[:MOST_NAMES]) + more


def _segment(table: Table) -> str:
    heads = ["run", *(escape(f"{column.group}: {column.title}") for column in table.columns)]
    return _table(
        heads, ([escape(line.row.label), *(_full(cell) for cell in line.cells)] for line in table.lines)
    )


def _everything(view: View, shown: Sequence[Row]) -> str:
    rows = []
    for row in shown:
        for name, segment, cell in view.cells_of(row):
            if not segment:
                rows.append([escape(row.label), escape(name), _full(cell, marked=False), _delta(cell)])
    return _table(["run", "metric", "value", f"Δ to {escape(view.frame.reference_name)}"], rows, 2)


def _made(made: Made) -> str:
    if not made.lines:
        return ""
    rows = [[escape(name), *map(escape, numbers), str(len(used))] for name, numbers, used in made.lines]
    return _table(["step", *made.heads, "rows that use it"], rows)


def _works(works: Sequence[Work]) -> str:
    if not works:
        return "No step or evaluation has finished."
    scale = scale_of("bytes", [work.bytes for work in works if work.bytes])
    rows = []
    for work in works:
        size = scale.text(work.bytes) if work.bytes else NOTHING
        made = duration(work.seconds) if work.made_by else f"{duration(work.seconds)} (in an earlier sweep)"
        rows.append(
            [escape(work.name), escape(work.kind), escape(work.key[:12]), made, size, str(len(work.used_by))]
        )
    return _table(["name", "kind", "key", "time", "output", "rows that use it"], rows, 3)


def _failures(failures: Sequence[Failure]) -> str:
    rows = [
        [
            escape(f.label),
            escape(f"{f.sweep}/{f.run}"),
            escape(f.status),
            escape(f.message[:LONGEST]),
            escape(f.where) or NOTHING,
        ]
        for f in failures
    ]
    return _table(["run", "folder", "status", "message", "where"], rows, 5)


def _problems(problems: Sequence[tuple[str, list[str]]]) -> str:
    return "\n".join(f"- {escape(text[:LONGEST])} ({_list(runs)})" for text, runs in problems[:MOST_ROWS])


def _provenance(lines: Sequence[tuple[str, list[str]]]) -> str:
    return "\n".join(
        f"- {name}: {'; '.join(escape(value[:LONGEST]) for value in values[:MOST_NAMES])}"
        for name, values in lines
    )
