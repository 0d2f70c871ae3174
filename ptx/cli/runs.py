"""``ptx runs ls|show``: what has been recorded."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ptx.cli.report import find, summary
from ptx.report import load_records, make_frame

EXAMPLES = """\
examples:
  ptx runs ls
  ptx runs ls train-sweep-1a2b3c4d
  ptx runs show dpo-sparsegpt-5e6f7a8b"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """List or show runs."""
    parser = argparse.ArgumentParser(
        "ptx runs", description="List and show recorded runs.", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["ls", "show"])
    parser.add_argument("name", nargs="?", help="a sweep or run, by folder or by name")
    parser.add_argument("--out", metavar="OUT", type=Path, default=Path("ptx-out"), help="where runs lie; default: ptx-out")
    options = parser.parse_args(list(arguments))
    if options.action == "show" and not options.name:
        parser.error("ptx runs show needs the name of a run; `ptx runs ls` lists them")
    folder = find(options.out, options.name or ".")
    if options.action == "ls":
        _list(folder)
    else:
        _show(folder)
    return 0


def _list(folder: Path) -> None:
    console = Console(highlight=False)
    table = Table("sweep", "run", "what", "status", "seconds", box=None, pad_edge=False, header_style="bold")
    for record in load_records([folder]):
        seconds = record.result.get("seconds")
        table.add_row(
            Text(record.sweep_name),
            Text(record.id),
            Text(str(record.run.get("label", ""))),
            record.status,
            f"{seconds:.1f}" if seconds is not None else "-",
        )
    console.print(table)


def _show(folder: Path) -> None:
    records = load_records([folder])
    Console(highlight=False).print(summary(make_frame(records)))
    for record in records:
        print(json.dumps({"run": record.run, "result": record.result}, indent=2, ensure_ascii=False))
