"""The report as one self-contained HTML file: no network, no fonts, no libraries.

Everything that comes from a record passes jinja2's autoescape. A content security policy allows the page's
own script by its hash and nothing else. So even text that escaping had missed could not run, and a plugin's
section cannot load anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from ptx.report.formats.markdown import LEGEND
from ptx.report.formats.view import View
from ptx.report.plots.choose import Picture
from ptx.report.plots.curves import sparks_of
from ptx.report.table.metric_names import short_name
from ptx.report.table.records import Record
from ptx.report.table.row import Row
from ptx.report.table.units import duration, scale_of
from ptx.report.text import details
from ptx.report.text.made import made_of
from ptx.report.text.provenance import provenance_of
from ptx.report.text.summary import Summary

HERE = Path(__file__).parent
SHOWN = 200  # steps, and failures, that the page lists
LONGEST = 4000  # characters of a text, such as a command
BRIEF = 90  # characters of a name in a head or a list


def render_html(
    title: str,
    view: View,
    summary: Summary,
    pictures: Sequence[Picture],
    records: list[Record],
    sections: Sequence[str],
) -> str:
    """The text of the HTML page."""
    script = (HERE / "report.js").read_text(encoding="utf-8")
    failures = details.failures_of(view.frame)
    works = details.works_of(view.frame)
    context = {
        "title": title,
        "provenance": provenance_of(records),
        "legend": LEGEND.format(base=view.frame.reference_name),
        "base": view.frame.reference_name,
        "summary": summary,
        "main": view.main(),
        "headline": view.frame.headline,
        "pictures": [_picture(picture) for picture in pictures],
        "segments": view.segments(),
        "rows": [_row(view, row) for row in view.rows],
        "row_count": len(view.frame.rows),
        "left_out": view.left_out,
        "made": made_of(view.frame),
        "works": works[:SHOWN],
        "more_works": len(works) - SHOWN,
        "work_scale": scale_of("bytes", [work.bytes for work in works if work.bytes]),
        "problems": details.problems_of(view.frame)[:SHOWN],
        "failures": failures[:SHOWN],
        "more_failures": len(failures) - SHOWN,
        "reasons": {failure.row: failure.message for failure in reversed(failures)},
        "curves": sparks_of(view.rows),
        # trusted like the plugin that made it; the content security policy applies
        "sections": [Markup(section) for section in sections],  # noqa: S704
        "style": Markup((HERE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 (our own file)
        "script": Markup(script),  # noqa: S704 (our own file)
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    return _environment().get_template("report.html.jinja").render(context)


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"duration": duration, "short_name": short_name}
    made.filters["pretty"] = lambda value: clipped(json.dumps(value, indent=2, ensure_ascii=False))
    made.filters["clip"] = clipped
    made.filters["brief"] = lambda text: str(text) if len(str(text)) <= BRIEF else f"{str(text)[:BRIEF]}…"
    return made


def clipped(text: object) -> str:
    """A text, or its beginning: of a command with ten thousand words nobody reads the last."""
    whole = str(text)
    more = len(whole) - LONGEST
    return whole if more <= 0 else f"{whole[:LONGEST]}… ({more:,} characters more)"


def _picture(picture: Picture) -> dict[str, Any]:
    # the labels were escaped when they were drawn
    return vars(picture) | {name: Markup(getattr(picture, name)) for name in ("wide", "narrow")}  # noqa: S704


def _row(view: View, row: Row) -> dict[str, Any]:
    """The details of a row, which the page shows on demand."""
    return {
        "row": row,
        "everything": view.cells_of(row),
        "changes": details.config_changes(row),
        "flips": details.flips_of(view.frame, row, view.comparisons),
    }
