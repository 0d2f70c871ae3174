"""The sections that plugins add to a report; a plugin that fails takes only its own away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ptx.guard.reading import reason
from ptx.hooks.host import get_host
from ptx.report import Record


def sections_of(records: list[Record], folder: Path, say: Callable[[str], object]) -> list[str]:
    """The HTML fragments of the hook ``ptx_report``; ``say`` is told of a plugin that fails."""
    found: list[str] = []
    for plugin, parts in get_host().each("ptx_report", records=records, folder=folder):
        if isinstance(parts, Exception):
            say(f"without the section of {plugin}: {reason(parts)}")
        else:
            found += parts
    return found
