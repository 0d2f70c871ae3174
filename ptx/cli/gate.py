"""``ptx gate``: which of the recorded models may ship, and why the others may not."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ptx.cli.parser import Parser
from ptx.cli.report import find
from ptx.config.against import Named
from ptx.config.against import find as find_named
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.plain_yaml import parse_yaml
from ptx.hooks.host import get_host
from ptx.report import Row, load_records, make_frame
from ptx.report.gate import Finding, Gate, State, Verdict, judge, state_of
from ptx.report.gate_reader import load_gate

EXAMPLES = """\
examples:
  ptx gate train-sweep-1a2b3c4d gate=ship
  ptx gate ptx-out/runs/demo gate=compressed gate.capability.at_least=-0.01
  ptx gate demo gate=./my-gate.yaml

A constraint holds if the whole 95 % interval lies on the right side of its bound. It is undecided if the
metric was not measured, or if the interval lies on both sides of the bound; the line then says how many items
would decide it. A model ships only if every constraint holds, and fails if one fails.

exit code 0: a model ships (with --require all: every model; with --require RUN: that one)
          1: no, a constraint fails        3: undecided        2: the command or the gate is wrong"""

STYLES: dict[Verdict, str] = {"holds": "green", "fails": "red", "undecided": "yellow"}
STATES: dict[State, tuple[str, str]] = {
    "ships": ("ships", "green"),
    "fails": ("does not", "red"),
    "undecided": ("undecided", "yellow"),
}
EXITS: dict[State, int] = {"ships": 0, "fails": 1, "undecided": 3}


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Judge every model of a sweep by a gate; returns the exit code."""
    parser = Parser(
        "ptx gate",
        description="Judge recorded models by a gate: a list of bounds that a model must keep to ship.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sweep", metavar="SWEEP", help="folder of a sweep or run, or its name below OUT/runs")
    parser.add_argument(
        "words",
        nargs="+",
        metavar="key=value",
        help="gate=NAME or gate=./file.yaml, and gate.CONSTRAINT.FIELD=VALUE to change it",
    )
    parser.add_argument(
        "--out",
        metavar="OUT",
        type=Path,
        default=Path("ptx-out"),
        help="output folder of the runs; default: ptx-out",
    )
    parser.add_argument(
        "--config-dir", metavar="DIR", help="a folder of YAML choices that comes before all others"
    )
    parser.add_argument(
        "--require",
        metavar="any|all|RUN",
        default="any",
        help="what exit code 0 means: any model ships (default), all do, or the named run does",
    )
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    options = parser.parse_args(list(arguments))
    gate = _gate(options.words, options.config_dir)
    frame = make_frame(load_records([find(options.out, options.sweep)]), against=None)
    judged = [(row, judge(gate, row)) for row in frame.rows if not row.baseline]
    if not judged:
        raise ConfigError(
            Problem(f"{options.sweep} holds only baselines", "a gate judges the models made from them")
        )
    wanted = _required(options.require, [row for row, _ in judged])
    states = {row.number: state_of(findings) for row, findings in judged}
    if options.json:
        print(json.dumps({"gate": gate.name, "models": [_plain(*one) for one in judged]}, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for row, findings in judged:
            _print_row(console, row, findings)
        console.print(Text(_summary(gate, [row for row, _ in judged], states), style="bold"))
    return EXITS[_outcome([states[row.number] for row in wanted], all_of=options.require != "any")]


def _plain(row: Row, findings: Sequence[Finding]) -> dict[str, Any]:
    """A judged model as plain data."""
    said = [{"verdict": finding.verdict, "what": str(finding)} for finding in findings]
    runs = [record.id for record in row.records]
    return {"label": row.label, "runs": runs, "state": state_of(findings), "findings": said}


def _required(require: str, rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that decide the exit code.

    Raises:
        ConfigError: ``require`` names no run, or several.
    """
    if require in ("any", "all"):
        return rows
    names = [
        Named(row.records[0].varied, row.label, [row.full_label, *(r.id for r in row.records)])
        for row in rows
    ]
    return [rows[find_named(require, names, "--require ")]]


def _outcome(states: Sequence[State], *, all_of: bool) -> State:
    """One state for several models: the worst if all must ship, else the best."""
    order: list[State] = ["fails", "undecided", "ships"]
    return order[(min if all_of else max)(order.index(state) for state in states)]


def _gate(words: Sequence[str], config_dir: str | None) -> Gate:
    given: dict[str, Any] = {}
    problems = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key.partition(".")[0] != "gate":
            problems.append(
                Problem(
                    f"cannot use {word!r}",
                    f"{did_you_mean(key, ['gate'])} Write gate=ship or gate.NAME.at_most=1.5",
                )
            )
        given[key] = parse_yaml(value, word)
    if "gate" not in given and not problems:
        problems.append(Problem("no gate was given", "add gate=ship"))
    if problems:
        raise ConfigError(problems)
    changes = {key.removeprefix("gate."): value for key, value in given.items() if key != "gate"}
    return load_gate(get_host(), given["gate"], changes, config_dir)


def _print_row(console: Console, row: Row, findings: Sequence[Finding]) -> None:
    word, style = STATES[state_of(findings)]
    console.print(Text(f"{word:<11}", style=style), Text(row.label), sep="")
    for finding in findings:
        console.print(Text(f"  {finding.verdict:<10}", style=STYLES[finding.verdict]), Text(str(finding)))


def _summary(gate: Gate, rows: Sequence[Row], states: Mapping[int, State]) -> str:
    passed = [row.label for row in rows if states[row.number] == "ships"]
    unsure = sum(state == "undecided" for state in states.values())
    models = "1 model" if len(rows) == 1 else f"{len(rows)} models"
    verb = "ship" if len(passed) > 1 else "ships"
    text = f"gate {gate.name}: {len(passed)} of {models} {verb}" + (
        f": {', '.join(passed)}" if passed else ""
    )
    return text + (f"; {unsure} undecided" if unsure else "")
