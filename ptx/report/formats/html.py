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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from ptx.report.formats.markdown import LEGEND
from ptx.report.formats.view import View
from ptx.report.page.packed import script_json
from ptx.report.text.provenance import Provenance
from ptx.report.text.spans import Sentence

ASSETS = Path(__file__).parents[1] / "page" / "assets"
#: the modules of the page's script, in their order
SCRIPTS = (
    *("dom", "numbers", "model", "state", "charts", "front", "first", "table", "explorer", "compare"),
    *("steps", "effects", "segments", "samples", "training", "records", "main"),
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
) -> str:
    """The text of the HTML page."""
    vendor, script = _asset("vendor/echarts.js"), page_script()
    context = {
        "title": title,
        "provenance": provenance,
        "legend": LEGEND.format(base=view.frame.reference_name),
        "row_count": len(view.frame.rows),
        "sentence": sentence,
        "parts": PARTS,
        # trusted like the plugin that made it; the content security policy applies
        "sections": [Markup(section) for section in sections],  # noqa: S704
        "data": Markup(script_json(data)),  # noqa: S704 (it cannot end its element)
        "style": Markup(_asset("page.css")),  # noqa: S704 (our own files)
        "vendor": Markup(vendor),  # noqa: S704
        "script": Markup(script),  # noqa: S704
        "script_hashes": Markup(f"'sha256-{_hash(vendor)}' 'sha256-{_hash(script)}'"),  # noqa: S704
    }
    return _environment().get_template("page.html.jinja").render(context)


@functools.cache
def page_script() -> str:
    """The modules of the page as one script, in a scope of its own."""
    modules = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{modules}\n}})();\n'


@functools.cache
def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["brief"] = lambda text: str(text) if len(str(text)) <= BRIEF else f"{str(text)[:BRIEF]}…"
    return made
