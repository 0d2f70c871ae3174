"""The two pages as HTML: the list of sweeps, and the report's page without data; scripts fill both."""

from __future__ import annotations

import functools
from pathlib import Path

from markupsafe import Markup

from ptx.report.formats.html import asset, environment, render_page, script_hashes

ASSETS = Path(__file__).parent / "assets"
LIST_SCRIPTS = ("dom", "numbers")


def sweep_page(title: str, *, trusted: bool) -> str:
    """The page of one sweep, or of several that are compared."""
    return render_page(
        further_script=_own("live.js"),
        further_style=_own("live.css"),
        live=True,
        trusted=trusted,
        title=title,
        legend="",
        sentence=[],
        sections=[],
        data=Markup("null"),
    )


def list_page(title: str, *, trusted: bool) -> str:
    """The page with all sweeps."""
    script = _list_script()
    return (
        environment(ASSETS)
        .get_template("sweeps.html.jinja")
        .render(
            title=title,
            trusted=trusted,
            style=Markup(asset("page.css") + _own("live.css")),  # noqa: S704 (our own files)
            script=Markup(script),  # noqa: S704
            script_hashes=Markup(script_hashes(script)),  # noqa: S704
        )
    )


@functools.cache
def _list_script() -> str:
    modules = [*(asset(f"{name}.js") for name in LIST_SCRIPTS), _own("stream.js"), _own("sweeps.js")]
    return '(() => {\n"use strict";\n' + "\n".join(modules) + "\n})();\n"


@functools.cache
def _own(name: str) -> str:
    text = (ASSETS / name).read_text(encoding="utf-8")
    return f"{_own('stream.js')}\n{text}" if name == "live.js" else text
