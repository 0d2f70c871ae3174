"""``ptx gate``: which of the recorded models may ship, and why the others may not."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ptx.cli.report import find
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.plain_yaml import parse_yaml
from ptx.hooks.host import get_host
from ptx.report import Row, load_records, make_frame
from ptx.report.gate import Finding, Gate, Verdict, judge, load_gate, ships

EXAMPLES = """\
examples:
  ptx gate train-sweep-1a2b3c4d gate=ship
  ptx gate ptx-out/runs/demo gate=compressed gate.capability.at_least=-0.01
  ptx gate demo gate=./my-gate.yaml

A constraint holds if the whole 95 % interval lies on the right side of its bound. It is undecided if the
metric was not measured, or if the interval lies on both sides of the bound. A model ships only if every
constraint holds. Exit code 0: at least one model ships; 1: none does."""

STYLES: dict[Verdict, str] = {"holds": "green", "fails": "red", "undecided": "yellow"}


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Judge every model of a sweep by a gate; returns the exit code."""
    parser = argparse.ArgumentParser(
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
    options = parser.parse_args(list(arguments))
    gate = _gate(options.words, options.config_dir)
    frame = make_frame(load_records([find(options.out, options.sweep)]), against=None)
    judged = [(row, judge(gate, row)) for row in frame.rows if not row.baseline]
    if not judged:
        raise ConfigError(
            Problem(f"{options.sweep} holds only baselines", "a gate judges the models made from them")
        )
    console = Console(highlight=False, soft_wrap=True)
    for row, findings in judged:
        _print_row(console, row, findings)
    passed = [row.label for row, findings in judged if ships(findings)]
    console.print(Text(_summary(gate, passed, len(judged)), style="bold"))
    return 0 if passed else 1


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
    passed = ships(findings)
    console.print(
        Text("ships      " if passed else "does not   ", style="green" if passed else "red"),
        Text(row.label),
        sep="",
    )
    for finding in findings:
        console.print(Text(f"  {finding.verdict:<10}", style=STYLES[finding.verdict]), Text(str(finding)))


def _summary(gate: Gate, passed: Sequence[str], number: int) -> str:
    models = "1 model" if number == 1 else f"{number} models"
    return f"gate {gate.name}: {len(passed)} of {models} ships" + (f": {', '.join(passed)}" if passed else "")
