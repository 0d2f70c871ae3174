"""The report as one self-contained HTML file: no network, no fonts; the chart library stands in the file.

The page's own words pass jinja2's autoescape. Everything that comes from a record is JSON in a data block in
which no sign can end the element, and the script only ever makes text nodes of it. A content security policy
allows the two scripts by their hashes and nothing else. So even text that all this had missed could not run,
and a plugin's section cannot load anything.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from ptx.report.formats.markdown import LEGEND
from ptx.report.formats.view import View
from ptx.report.page.packed import script_json
from ptx.report.table.frame import Frame
from ptx.report.text.provenance import Provenance
from ptx.report.text.spans import Sentence

ASSETS = Path(__file__).parents[1] / "page" / "assets"
#: the modules of the page's script, in their order
SCRIPTS = (
    *("dom", "numbers", "model", "state", "charts", "front", "first", "table", "explorer", "compare"),
    *("steps", "effects", "segments", "samples", "training", "records", "focus", "main"),
)
#: the parts after the first screen, in their order; the script has their content
PARTS = (
    ("table", "All runs"),
    ("explorer", "Trade-offs"),
    ("compare", "Pinned runs"),
    ("steps", "What each step did"),
    ("effects", "What the settings did"),
    ("segments", "Segments"),
    ("samples", "Samples"),
    ("training", "Training curves"),
    ("cost", "Cost"),
    ("lineage", "Lineage"),
    ("failures", "Failures"),
    ("provenance", "Where the numbers come from"),
)
BRIEF = 90  # characters of a title in the head of the page


def render_html(
    title: str,
    view: View,
    sentence: Sentence,
    data: dict[str, Any],
    provenance: Provenance,
    sections: Sequence[str],
    parts: Sequence[str] = (),
) -> str:
    """The text of the HTML page; ``parts`` are the names of those to show, in their order, else all."""
    names = dict(PARTS)
    return render_page(
        parts=[(name, names[name]) for name in parts] or PARTS,
        title=title,
        provenance=provenance,
        legend=LEGEND.format(base=view.frame.reference_name),
        row_count=len(view.frame.rows),
        unfinished=without_results(view.frame),
        sentence=sentence,
        # trusted like the plugin that made it; the content security policy applies
        sections=[Markup(section) for section in sections],  # noqa: S704
        data=Markup(script_json(data)),  # noqa: S704 (it cannot end its element)
    )


def without_results(frame: Frame) -> str:
    """How many rows have failed, or have no results for another reason; empty if all have."""
    states = Counter(row.status for row in frame.rows if not row.done)
    return ", ".join(f"{number} {status}"[:60] for status, number in states.most_common(3))


def render_page(*, further_script: str = "", further_style: str = "", **context: Any) -> str:
    """The page with the values of its template; a live page adds a script and a style of its own."""
    vendor, script = asset("vendor/echarts.js"), page_script(further_script)
    fixed = {
        "style": Markup(asset("page.css") + further_style),  # noqa: S704 (our own files)
        "vendor": Markup(vendor),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        "script_hashes": Markup(script_hashes(vendor, script)),  # noqa: S704
    }
    return environment().get_template("page.html.jinja").render({"parts": PARTS} | context | fixed)


@functools.cache
def page_script(further: str = "") -> str:
    """The modules of the page as one script, in a scope of its own."""
    modules = "\n".join([*(asset(f"{name}.js") for name in SCRIPTS), further])
    return f'(() => {{\n"use strict";\n{modules}\n}})();\n'


@functools.cache
def asset(name: str) -> str:
    """The text of a file of the page."""
    return (ASSETS / name).read_text(encoding="utf-8")


def script_hashes(*scripts: str) -> str:
    """The sources of a content security policy that allow just these scripts."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def environment(folder: Path = ASSETS) -> Environment:
    """The templates of a folder, in which every value is escaped."""
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["brief"] = lambda text: str(text) if len(str(text)) <= BRIEF else f"{str(text)[:BRIEF]}…"
    return made
