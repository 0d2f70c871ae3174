"""``ptx runs ls|show|diff|tail``: list, show, compare and follow recorded runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ptx.cli.human import numbers_text, print_table, size_text
from ptx.cli.keys import KEY_LENGTH, differences, find_runs
from ptx.cli.parser import Parser
from ptx.cli.report import find
from ptx.cli.summary import print_runs, print_summary
from ptx.cli.tail import tail
from ptx.config import NEUTRAL
from ptx.report import Record, load_records, make_frame
from ptx.report.building import findings_of
from ptx.report.table.compare import difference_of
from ptx.report.table.listing import list_records
from ptx.report.table.row import Row
from ptx.report.table.units import duration, metric_text, scale_of

UNDECIDED = {"same": "no difference beyond noise", "too few": "too few items to say"}
EXAMPLES = """\
examples:
  ptx runs ls
  ptx runs ls train-sweep-1a2b3c4d
  ptx runs show dpo-sparsegpt-5e6f7a8b          --json prints the record itself
  ptx runs diff sft-1a2b3c4d dpo-5e6f7a8b       settings, versions and metrics that differ
  ptx runs tail train-sweep-1a2b3c4d -f         follow a running sweep"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Run one of the actions."""
    options = _parser().parse_args(list(arguments))
    out = options.out
    if options.action == "ls":
        _list(list_records(find(out, options.name or ".")), as_json=options.json)
    elif options.action == "show":
        _show(load_records([find(out, options.name)]), as_json=options.json)
    elif options.action == "diff":
        _diff(*(find_runs(out, name, one=True)[0] for name in (options.before, options.after)))
    else:
        tail(find(out, options.name), options.lines, follow=options.follow)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "ptx runs",
        description="List, show, compare and follow recorded runs.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = Parser(add_help=False)
    common.add_argument(
        "--out",
        metavar="OUT",
        type=Path,
        default=Path("ptx-out"),
        help="output folder of the runs; default: ptx-out",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ls|show|diff|tail")

    def action(name: str, text: str, example: str) -> argparse.ArgumentParser:
        description = f"{text[0].upper()}{text[1:]}."
        made: argparse.ArgumentParser = actions.add_parser(
            name, parents=[common], help=text, description=description, epilog=f"example: ptx runs {example}"
        )
        return made

    what = "folder or name of a sweep or run"
    ls = action("ls", "list runs with their status", "ls train-sweep-1a2b3c4d")
    ls.add_argument("name", nargs="?", help=f"{what}; default: all")
    ls.add_argument("--json", action="store_true", help="print the list as JSON")
    show = action("show", "show a run or sweep", "show dpo-sparsegpt-5e6f7a8b")
    show.add_argument("name", help=what)
    show.add_argument("--json", action="store_true", help="print the record as it is")
    diff = action("diff", "show in what two runs differ", "diff sft-1a2b3c4d dpo-5e6f7a8b")
    diff.add_argument("before", metavar="A", help="folder or name of a run")
    diff.add_argument("after", metavar="B", help="folder or name of another run")
    last = action("tail", "show the last events of a run or sweep", "tail train-sweep-1a2b3c4d -f")
    last.add_argument("name", help=what)
    last.add_argument(
        "-f", "--follow", action="store_true", help="print new events until all runs have ended"
    )
    last.add_argument(
        "-n", "--lines", metavar="N", type=int, default=20, help="number of events to show; default: 20"
    )
    return parser


def _list(records: Sequence[Record], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_listed(record) for record in records], indent=2, ensure_ascii=False))
        return
    rows = []
    for record in records:
        seconds = record.result.get("seconds")
        took = f"{seconds:.1f}" if seconds is not None else "-"
        rows.append([record.sweep_name, record.id, record.status, took, str(record.run.get("label", ""))])
    print_table(["sweep", "run", "status", "seconds", "what"], rows)


def _listed(record: Record) -> dict[str, Any]:
    return {
        "sweep": record.sweep_name,
        "run": record.id,
        "status": record.status,
        "seconds": record.result.get("seconds"),
        "label": record.run.get("label", ""),
        "folder": str(record.folder),
    }


def _show(records: Sequence[Record], *, as_json: bool) -> None:
    if as_json:
        for record in records:
            print(json.dumps({"run": record.run, "result": record.result}, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    found = findings_of(list(records))
    if len(records) > 1:
        print_summary(console, found, len(records))
        console.print(
            f"\n{len(records)} runs in {records[0].folder.parent}; ptx runs show RUN shows one in detail"
        )
        return
    print_runs(console, found)
    console.print()
    for name, value in _facts(records[0]):
        console.print(Text(f"{name:<8} ", style="bold"), Text(value), sep="")
    console.print()
    _show_work(records[0])


def _facts(record: Record) -> list[tuple[str, str]]:
    run, result = record.run, record.result
    error = result.get("error") or {}
    host = run.get("host") or {}
    facts = [
        ("run", f"{record.sweep_name}/{record.id} ({record.status})"),
        ("what", str(run.get("label", ""))),
        ("command", str(run.get("command", ""))),
        ("model", str(record.model.get("name", ""))),
        ("data", str((run.get("data") or {}).get("name", ""))),
        (
            "where",
            " ".join(
                str(part)
                for part in (run.get("device"), "on", host.get("cpu") or host.get("gpu") or host.get("name"))
                if part
            ),
        ),
        (
            "took",
            (
                f"{duration(result['seconds'])}, started {result.get('started', '?')}"
                if "seconds" in result
                else ""
            ),
        ),
        ("error", f"{error.get('type')}: {error.get('message')}" if error else ""),
        ("record", str(record.folder)),
        ("result", str((result.get("model") or {}).get("path", ""))),
    ]
    facts += [("problem", problem) for problem in record.problems]
    return [(name, value) for name, value in facts if value]


def _show_work(record: Record) -> None:
    """Print the steps and evaluations: from the result if there is one, else as they were planned."""
    rows = []
    for kind in ("steps", "evaluations"):
        done = {part.get("key"): part for part in record.result.get(kind) or []}
        for part in record.run.get(kind) or []:
            result = done.get(part.get("key"), {})
            how = {True: "from the store", False: "made by this run", None: "not done"}[result.get("shared")]
            size = size_text(result["bytes"]) if "bytes" in result else ""
            values = numbers_text(result.get("metrics"))
            seconds = f"{result['seconds']:.1f}" if "seconds" in result else ""
            rows.append(
                [str(part.get("name")), str(part.get("key"))[:KEY_LENGTH], how, seconds, size, values]
            )
    print_table(["step", "key", "how", "seconds", "size", "last values"], rows)


def _diff(before: Record, after: Record) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(f"{before.sweep_name}/{before.id} -> {after.sweep_name}/{after.id}", style="bold"))
    sections = {
        "settings": (_settings(before), _settings(after)),
        "inputs": (_inputs(before), _inputs(after)),
        "versions": (before.run.get("versions") or {}, after.run.get("versions") or {}),
    }
    for title, (ours, theirs) in sections.items():
        changes = differences(ours, theirs)
        console.print(Text(f"{title}:" if changes else f"{title}: the same"))
        for name, was, now in changes:
            console.print(Text(f"  {name}  {was} -> {now}"))
    _diff_metrics(make_frame([before]).rows[0], make_frame([after]).rows[0])


def _settings(record: Record) -> dict[str, Any]:
    config = record.run.get("config") or {}
    return {name: value for name, value in config.items() if name not in NEUTRAL}


def _inputs(record: Record) -> dict[str, Any]:
    """Return the model, the data, the device and the machine of a run."""
    run = record.run
    model = {name: record.model.get(name) for name in ("name", "digest", "dtype", "parameters")}
    fed = {
        part["name"]: part["ingredients"]["data"]
        for part in run.get("steps") or []
        if (part.get("ingredients") or {}).get("data")
    }
    return {
        "model": model,
        "data": {"name": (run.get("data") or {}).get("name"), **fed},
        "device": run.get("device"),
        "host": run.get("host"),
    }


def _diff_metrics(before: Row, after: Row) -> None:
    """Print each metric in both runs and its difference, paired by item where possible; no segments."""
    rows = []
    for name, segment in dict.fromkeys([*before.metrics, *after.metrics]):
        if segment:
            continue
        pair = [metric for row in (before, after) if (metric := row.metric(name))]
        scale = scale_of(pair[0].unit if pair else "", [metric.value for metric in pair])
        cells = [
            metric_text(metric, scale) if (metric := row.metric(name)) else "-" for row in (before, after)
        ]
        one = difference_of(after, before, (name, ""))
        gap = [] if one is None else [scale.text(one.difference.value, sign=True)]
        if one is not None and one.how != "exact":
            gap.append(scale.interval(one.difference.low, one.difference.high, sign=True))
        verdict = "" if one is None else (f"{one.mark} {UNDECIDED.get(one.verdict, one.verdict)} ({one.how})")
        rows.append([name, *cells, " ".join(gap), verdict])
    print_table(["metric", "A", "B", "B - A", ""], rows)
