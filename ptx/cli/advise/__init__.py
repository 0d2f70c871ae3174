"""``ptx advise``: which methods fit this data, model and machine, why, and the commands.

Every command that is printed was planned: what the plan refuses is shown with its reason, and not advised.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ptx.cli.advise.measured import measure
from ptx.cli.advise.rules import GOALS, VARIED, Advice, Facts, advise, facts_of
from ptx.cli.parser import Parser
from ptx.cli.plugin_commands import configured
from ptx.cli.sampled import ROWS
from ptx.compose.jobs import compose_jobs
from ptx.config import RunConfig
from ptx.data import DataSet
from ptx.errors import ConfigError, Problem, counted, did_you_mean
from ptx.hooks.host import Host, get_host
from ptx.machine import gpus, total_bytes
from ptx.plan.forecast import Forecast
from ptx.plan.inputs import Inputs
from ptx.plan.plan import command_line
from ptx.plan.planner import make_plan
from ptx.records import ModelRef

EXAMPLES = """\
examples:
  ptx advise data=./my.jsonl
  ptx advise data=./pairs.jsonl model=./my-folder
  ptx advise data=./faq.csv data.columns.prompt=question goal=small
  ptx advise data=./my.jsonl model=./my-folder --measure     would GRPO learn? do prompts fit their replies?
  ptx advise data=./my.jsonl --json"""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Print the advice.

    Raises:
        ConfigError: there is no data, or something is wrong with it or with the model.
    """
    parser = Parser(
        "ptx advise",
        description="Say which methods fit data, a model and this machine, why, what they need, and what to\n"
        "type. Nothing is trained; with --measure a few rows are tried on the model.\n\ngoals:\n"
        + "\n".join(f"  goal={name:<9} {what}" for name, what in GOALS.items()),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "words", nargs="+", metavar="key=value", help=f"data=..., model=..., goal={'|'.join(GOALS)}"
    )
    parser.add_argument("--json", action="store_true", help="print the advice as JSON")
    parser.add_argument(
        "--measure",
        type=int,
        nargs="?",
        const=ROWS,
        default=0,
        metavar="ROWS",
        help=f"try this many rows on the model ({ROWS} without a number): how often its answers are right,"
        " and how much a prompt helps with its reply (IFD)",
    )
    options = parser.parse_intermixed_args(list(arguments))
    goal, words = _goal(options.words)
    host = get_host()
    looked = _looked(host, words)
    facts = dataclasses.replace(looked.facts, goal=goal)
    measured = _measured(looked, options.measure)
    advised = advise(facts)
    planned = [_planned(host, way, words) for way in advised.ways]
    good = [way for way, plan in zip(advised.ways, planned, strict=True) if not plan["refused"]]
    sweeps = [*_sweeps(host, good, goal, words)]
    findings = dict.fromkeys(note for plan in planned for note in plan.pop("findings"))
    notes = [*(note for note in advised.notes if not _is_found(note, findings)), *findings]
    if options.json:
        made = {"facts": dataclasses.asdict(facts), "ways": planned, "notes": notes, "measured": measured}
        made["sweeps"] = [{"what": what, "command": line} for what, line in sweeps]
        print(json.dumps(made, indent=2))
    else:
        print(_text(facts, notes, planned, sweeps, measured))
    return 0


def _goal(words: Sequence[str]) -> tuple[str, list[str]]:
    """The goal, and the other words.

    Raises:
        ConfigError: there is no such goal, or no data.
    """
    goals = [word.partition("=")[2] for word in words if word.startswith("goal=")]
    others = [word for word in words if not word.startswith("goal=")]
    problems = [
        Problem(f"no goal {goal!r}", did_you_mean(goal, [*GOALS])) for goal in goals if goal not in GOALS
    ]
    if not any(word.partition("=")[0] == "data" for word in others):
        problems.append(Problem("nothing to advise on", "type ptx advise data=./my.jsonl"))
    if problems:
        raise ConfigError(problems)
    return (goals or ["quality"])[-1], others


@dataclasses.dataclass(frozen=True)
class Looked:
    """What the words name, and the facts that follow from it."""

    config: RunConfig
    facts: Facts
    data: DataSet
    model: ModelRef | None = None


def _measured(looked: Looked, rows: int) -> list[str]:
    """What a few rows show on the model.

    Raises:
        ConfigError: no model is named, or the number is none.
    """
    if rows < 0:
        raise ConfigError(Problem(f"--measure {rows} asks for no rows", f"try --measure {ROWS}"))
    if rows and looked.model is None:
        raise ConfigError(Problem("--measure needs a model", "add model=./my-folder"))
    if not rows or looked.model is None:
        return []
    return measure(looked.config, looked.model, looked.data, rows)


def _looked(host: Host, words: Sequence[str]) -> Looked:
    """What is known of the data, the model (where one is named) and the machine."""
    config = configured("eval", [*words, "eval=[]"])
    inputs = Inputs(host)
    data = inputs.data(config.data)
    model = inputs.model(config.model) if any(word.startswith("model=") for word in words) else None
    if inputs.problems or data is None:
        raise ConfigError(inputs.problems)
    facts = dataclasses.replace(facts_of(data), gpu_bytes=int(total_bytes("cuda")) if gpus() else 0)
    if model is None:
        return Looked(config, facts, data)
    known = dataclasses.replace(facts, parameters=model[1].parameters, quantised=bool(model[1].quantized))
    return Looked(config, known, data, model[0])


def _planned(host: Host, way: Advice, words: Sequence[str]) -> dict[str, Any]:
    """A way with its command, and what its plan says: the forecast and findings, or what it refuses."""
    of_data = [word for word in words if word.partition("=")[0].partition(".")[0] == "data"]
    typed = [*way.words, *words] if way.verb != "data pairs" else [*of_data, *way.words]
    line = command_line([*way.verb.split(), *typed])
    found: dict[str, Any] = {"command": line, "why": way.why, "forecast": [], "refused": [], "findings": []}
    if way.verb == "data pairs":
        return found
    try:
        plan = make_plan(host, way.verb, compose_jobs(host, way.verb, typed), line)
        found["forecast"] = [said for said in Forecast(plan, host).lines() if "baseline" not in said]
        names = {f"{run.data.name}: " for run in plan.runs if run.data}
        starts = [(note, name) for note in plan.notes for name in names if note.startswith(name)]
        found["findings"] = [note.removeprefix(name) for note, name in starts]
    except ConfigError as error:
        found["refused"] = [str(problem) for problem in error.problems]
    return found


def _text(
    facts: Facts,
    notes: Sequence[str],
    planned: Sequence[dict[str, Any]],
    sweeps: Sequence[tuple[str, str]],
    measured: Sequence[str],
) -> str:
    lines = [
        f"{counted(facts.rows, 'row')} of {', '.join(facts.native)}",
        *(f"measured: {one}" for one in measured),
    ]
    good = [way for way in planned if not way["refused"]]
    for number, way in enumerate(good, 1):
        lines += [
            "",
            f"{number}. {way['why']}",
            f"   {way['command']}",
            *(f"   {one}" for one in way["forecast"]),
        ]
    for way in planned:
        if way["refused"]:
            lines += [
                "",
                f"not here: {way['why']}",
                f"   {way['command']}",
                *(f"   {one}" for one in way["refused"]),
            ]
    if not planned:
        lines += ["", f"no method trains on {', '.join(facts.native)}; `ptx check data=...` shows what fits"]
    if notes:
        lines += ["", "to mind:", *(f"  {note}" for note in notes)]
    for what, line in sweeps:
        lines += ["", what, f"  {line}"]
    return "\n".join(lines)


def _is_found(note: str, findings: Iterable[str]) -> bool:
    """Whether a finding on the rows says the same."""
    return "length alone" in note and any("length alone" in finding for finding in findings)


def _sweeps(host: Host, ways: Sequence[Advice], goal: str, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What each sweep shows, with its command: the losses of a method, the methods, what the goal asks."""
    methods = [way for way in ways if way.words[0].startswith("method=")]
    names = list(dict.fromkeys(way.words[0].partition("=")[2] for way in methods))
    losses = [word for way in methods for word in way.words if word.startswith("method.loss=")]
    shared = dict.fromkeys(
        word for way in methods for word in way.words if not word.startswith(("method=", "method.loss="))
    )
    asked = []
    if losses:
        typed = [methods[0].words[0], f"{losses[0]},sigmoid", *shared, "seed=range(0,3)"]
        asked.append(("which of the two losses: three seeds each, in one report", typed))
    if len(names) > 1:
        typed = [f"method={','.join(names)}", *shared, "seed=range(0,3)"]
        asked.append(("which method: each with three seeds, in one report", typed))
    if methods and goal in VARIED:
        what, varied = VARIED[goal]
        asked.append((what, [*methods[0].words, varied]))
    for what, typed in asked:
        if line := _swept(host, [*typed, *words]):
            yield what, line


def _swept(host: Host, typed: Sequence[str]) -> str:
    """The command of a sweep, if a plan takes it."""
    line = command_line(["train", "-m", *typed])
    try:
        make_plan(host, "train", compose_jobs(host, "train", typed, multirun=True), line)
    except ConfigError:
        return ""
    return line
