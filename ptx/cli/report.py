"""``ptx report``: write report.html, .md, .csv, .json and .parquet, and print what it says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ptx.cli.parser import Parser
from ptx.cli.sections import sections_of
from ptx.cli.summary import print_summary
from ptx.config import RunConfig
from ptx.errors import ConfigError, Problem
from ptx.guard.reading import reason
from ptx.hooks.host import get_host
from ptx.report import Record, Report, build
from ptx.report.building import no_collection
from ptx.report.definition import Definition, load_definition
from ptx.report.formats.headline import LISTED
from ptx.report.gate import Gate
from ptx.report.gate_reader import load_gate

EXAMPLES = """\
examples:
  ptx report ptx-out/runs/train-sweep-1a2b3c4d
  ptx report train-sweep-1a2b3c4d            a name below ptx-out/runs
  ptx report sweep-a sweep-b --to ./report   several sweeps in one report
  ptx report sweep-a --against 'compress=[gptq] runtime=hf' --to ./against-gptq
                                             compare every run with that one, item by item
  ptx report sweep-a --gate ship             what to ship by conf/gate/ship.yaml, or by ./my-gate.yaml
  ptx report sweep-a --definition release    what conf/report/release.yaml shows, or ./my-report.yaml"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Write a report of the given sweeps or runs."""
    parser = Parser(
        "ptx report",
        description="Write a report of recorded runs: report.html, .md, .csv, .json and .parquet.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sweeps", nargs="+", metavar="SWEEP", help="folder of a sweep or run, or its name below OUT/runs"
    )
    parser.add_argument("--to", metavar="DIR", type=Path, help="folder of the report; default: SWEEP/report")
    parser.add_argument(
        "--out",
        metavar="OUT",
        type=Path,
        default=Path("ptx-out"),
        help="output folder of the runs; default: ptx-out",
    )
    parser.add_argument(
        "--against",
        metavar="RUN",
        default="",
        help="the run to compare all others with: its label, id or choices; default: the baseline",
    )
    parser.add_argument("--title", help="title of the report")
    parser.add_argument(
        "--gate",
        metavar="GATE",
        help="what a model must keep to ship: a gate or a YAML file; default: not worse than the baseline",
    )
    parser.add_argument(
        "--definition",
        metavar="DEFINITION",
        help="metrics, axes, gates and parts of the report: a choice of conf/report or a YAML file",
    )
    parser.add_argument(
        "--rows",
        metavar="N",
        type=positive,
        default=LISTED,
        help=f"rows of the printed table; default: {LISTED}",
    )
    options = parser.parse_args(list(arguments))
    folders = [find(options.out, name) for name in options.sweeps]
    gate = load_gate(get_host(), options.gate) if options.gate else None
    definition = load_definition(get_host(), options.definition) if options.definition else None
    with no_collection():  # nor at the end: all memory goes with the process
        write(
            folders,
            options.to or folders[0] / "report",
            Console(highlight=False),
            title=options.title,
            against=options.against,
            gate=gate,
            definition=definition,
            rows=options.rows,
        )
    return 0


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows, such as 50")
    return int(text)


def write(
    folders: Sequence[Path],
    to: Path,
    console: Console,
    title: str | None = None,
    against: str = "",
    gate: Gate | None = None,
    definition: Definition | None = None,
    rows: int = LISTED,
) -> Report:
    """Write the report, with the sections of plugins, and print what it says and its path."""

    def sections(records: list[Record], folder: Path) -> list[str]:
        return sections_of(records, folder, lambda text: console.print(Text(text), soft_wrap=True))

    report = build(
        folders, to, title=title, sections=sections, against=against, gate=gate, definition=definition
    )
    print_summary(console, report.found, rows)
    console.print()
    console.print(Text(f"report   {report.html}\n         {report.markdown}"), soft_wrap=True)
    return report


def publish(config: RunConfig, folder: Path, console: Console) -> None:
    """Give the report of a sweep's folder to the trackers; what goes wrong there is printed."""
    told = {"config": config, "sweep": folder.name, "folder": folder / "report"}
    for plugin, answer in get_host().each("ptx_reported", **told):
        if isinstance(answer, Exception):
            console.print(Text(f"{plugin} did not take the report: {reason(answer)}"), soft_wrap=True)


def find(out: Path, name: str) -> Path:
    """Return the folder of a sweep or run, which is given by path or by name below ``out``/runs.

    Raises:
        ConfigError: there is none.
    """
    for path in (Path(name), out / "runs" / name, *sorted((out / "runs").glob(f"*/{name}"))):
        if path.is_dir():
            return path
    known = sorted(path.name for path in (out / "runs").glob("*") if path.is_dir())
    raise ConfigError(
        Problem(f"no sweep or run {name!r}", f"below {out / 'runs'}: {', '.join(known) or 'nothing'}")
    )
