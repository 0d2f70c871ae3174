"""``ptx report``: records -> report.md, report.html, report.csv; and the table that ends a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ptx.errors import ConfigError, Problem
from ptx.host import get_host
from ptx.report import build

EXAMPLES = """\
examples:
  ptx report ptx-out/runs/train-sweep-1a2b3c4d
  ptx report train-sweep-1a2b3c4d            a name below ptx-out/runs
  ptx report sweep-a sweep-b --to ./report   several, into one report"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Write a report of the given sweeps or runs."""
    parser = argparse.ArgumentParser(
        "ptx report",
        description="Roll recorded runs up into report.md, report.html and report.csv.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sweeps", nargs="+", metavar="SWEEP", help="a sweep's or run's folder, or its name below OUT/runs")
    parser.add_argument("--to", metavar="DIR", type=Path, help="where the report goes; default: SWEEP/report")
    parser.add_argument("--out", metavar="OUT", type=Path, default=Path("ptx-out"), help="where runs lie; default: ptx-out")
    parser.add_argument("--title", help="heading of the report")
    options = parser.parse_args(list(arguments))
    folders = [find(options.out, name) for name in options.sweeps]
    sections = lambda records, folder: [part for parts in get_host().hook.ptx_report(records=records, folder=folder) for part in parts]  # noqa: E731
    report = build(folders, options.to or folders[0] / "report", title=options.title, sections=sections)
    Console(highlight=False).print(summary(report.records))
    print(f"report   {report.html}\n         {report.markdown}")
    return 0


def find(out: Path, name: str) -> Path:
    """The folder of a sweep or run given by path or by name."""
    for path in (Path(name), out / "runs" / name, *sorted((out / "runs").glob(f"*/{name}"))):
        if path.is_dir():
            return path
    known = sorted(path.name for path in (out / "runs").glob("*") if path.is_dir())
    raise ConfigError(Problem(f"no sweep or run {name!r}", f"below {out / 'runs'}: {', '.join(known) or 'nothing'}"))


HEADLINES = ("bench/mean", "latency/request_seconds", "latency/decode_tokens_per_second", "size/bytes_on_disk")


def summary(records: Sequence[Any]) -> Table:
    """The runs with their headline metrics, each with its interval."""
    found = {metric["name"] for record in records for metric in record.metrics}
    columns = [name for name in HEADLINES if name in found] or sorted(found)[:4]
    table = Table("run", "status", *columns, box=None, pad_edge=False, header_style="bold")
    for record in records:
        by_name = {metric["name"]: metric for metric in record.metrics if not metric["segment"]}
        table.add_row(Text(record.label), record.status, *(_cell(by_name.get(name)) for name in columns))
    return table


def _cell(metric: dict[str, Any] | None) -> str:
    if metric is None:
        return "-"
    if metric["unit"] == "bytes":
        return f"{metric['value'] / 1e6:.2f} MB"
    if metric["low"] == metric["high"]:
        return f"{metric['value']:.4g} {metric['unit']}"
    return f"{metric['value']:.3g} \\[{metric['low']:.3g}, {metric['high']:.3g}] n={metric['n']}"
