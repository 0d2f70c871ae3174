"""Sizes, ages and tables, as people write and read them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.control import strip_control_codes
from rich.text import Text

from ptx.report.table.units import scale_of

SIZES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
AGES = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def size_text(size: float) -> str:
    """Return a size in bytes as text: ``1.23 MB``."""
    return scale_of("B", [size]).text(size).replace("\N{NO-BREAK SPACE}", " ")


def age_text(seconds: float) -> str:
    """Return ``3 d``, ``5 h``, ``12 min`` or ``8 s``: in the largest unit that gives at least two."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns, each on one line, also in a narrow terminal or a pipe.

    A key or number that is cut or broken over two lines could not be copied.
    """
    console = Console(highlight=False, soft_wrap=True)
    lengths = [[_width(cell) for cell in row] for row in (head, *rows)]
    widths = [max(column) for column in zip(*lengths, strict=True)]
    first, *rest = (
        "  ".join(
            cell + " " * (width - length) for cell, length, width in zip(row, taken, widths, strict=True)
        ).rstrip()
        for row, taken in zip((head, *rows), lengths, strict=True)
    )
    console.print(Text(first, style="bold"))
    if rest:  # plain, and at once: a console looks at every line and asks for its terminal with every call
        print(strip_control_codes("\n".join(rest)), file=console.file)


def _width(cell: str) -> int:
    """How many places of a terminal it takes."""
    return len(cell) if cell.isascii() else cell_len(cell)


def parse_size(text: str) -> float:
    """Return the number of bytes of ``10GB``, ``500MB`` or ``1.5TiB``."""
    return _parse(text, SIZES, "a size such as 10GB or 500MB")


def parse_age(text: str) -> float:
    """Return the number of seconds of ``30d``, ``12h`` or ``90min``."""
    return _parse(text, AGES, "an age such as 30d, 12h or 90min")


def _parse(text: str, units: dict[str, int], wanted: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in units:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return float(found[1]) * units[found[2]]


def number_text(value: float) -> str:
    """Return a number in four digits, and a count in all of its own: ``0.6931``, ``10,560``."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def numbers_text(metrics: Any) -> str:
    """Return the numbers that a step has logged last, without its estimate of the time that remains."""
    found = metrics.items() if isinstance(metrics, dict) else ()
    numbers = [(name, value) for name, value in found if isinstance(value, int | float)]
    return "  ".join(f"{name} {number_text(value)}" for name, value in numbers if name != "eta_seconds")
