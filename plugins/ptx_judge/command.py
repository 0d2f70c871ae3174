"""``ptx judge check``: a judge's agreement with people. ``ptx judge rank``: the order of a sweep's runs."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptx import ConfigError, Problem, Run, did_you_mean
from ptx.cli.plugin_commands import Parser, Record, config_of, configured, load_records, running
from ptx.stats import words
from ptx_judge import agreement, ledger, rank, verdicts
from ptx_judge.agreement import Agreement
from ptx_judge.config import Judge
from ptx_judge.validate import of_scorer

DESCRIPTION = "Compare a judge with human verdicts; rank the runs of a sweep pair by pair."
EXAMPLES = """examples:
  ptx judge check ./pandalm
      the agreement of people with each other, and of the judges whose verdicts are in the folder
  ptx judge check ./pandalm --judge rule
      also ask a judge, and keep its kappa, which is then reported beside its win-rates
  ptx judge check ./pandalm --judge endpoint scorer.endpoint.base_url=http://localhost:8000/v1 \\
      scorer.endpoint.model=NAME
  ptx judge rank ptx-out/runs/SWEEP
      compare every two runs by the judge of their evaluation; ptx report then shows the order
"""


def main(arguments: list[str]) -> int:
    """Run ``ptx judge ARGUMENTS``; returns the exit code."""
    top = parser()
    options, rest = top.parse_known_args(arguments)
    if stray := [word for word in rest if word.startswith("-") or "=" not in word or options.verb != "check"]:
        top.error(f"unrecognized arguments: {' '.join(stray)}")
    options.words = [*getattr(options, "words", []), *rest]  # argparse drops words that follow an option
    return check(options) if options.verb == "check" else rank_runs(options)


def parser() -> argparse.ArgumentParser:
    """The arguments of ``ptx judge``."""
    form: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EXAMPLES}
    top = Parser("ptx judge", description=DESCRIPTION, **form)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    one = verbs.add_parser("check", help="agreement of people and judges, with intervals", **form)
    one.add_argument(
        "data",
        type=Path,
        help="a file of human verdicts (PandaLM's format), or a folder with one and judges' verdicts",
    )
    one.add_argument("--judge", help="the name of a scorer to ask")
    one.add_argument("--limit", type=int, help="ask only about the first N pairs")
    one.add_argument(
        "words",
        nargs="*",
        metavar="key=value",
        help="settings of the judge (scorer.NAME.FIELD=...), eval.judge.margin=...",
    )
    two = verbs.add_parser("rank", help="round robin over the runs of a sweep", **form)
    two.add_argument("sweep", type=Path, help="the sweep's folder")
    return top


def check(options: argparse.Namespace) -> int:
    """Print the agreement of people and judges; ask a judge and keep its check."""
    file, persons, pairs, stored = verdicts.load(options.data)
    split = sum(pair.majority is None for pair in pairs)
    print(
        f"{file.name}: {len(pairs)} pairs, {len(persons)} annotators; {split} pairs have no majority and are"
        " left out of the agreement with it\n"
    )
    lines = agreement.of_people(persons, pairs)
    for judge in stored:
        lines += agreement.of_judge(judge, persons, pairs)
        if judge.unreadable:
            print(f"{judge.name}: {judge.unreadable} verdicts are left out, they are not 1, 2 or 0")
    show(lines)
    if options.judge:
        ask(options, file, persons, pairs[: options.limit])
    elif options.words or options.limit:
        raise ConfigError(
            Problem(
                f"no judge is named, so {' '.join(options.words) or '--limit'} has no effect",
                "name one: --judge NAME",
            )
        )
    return 0


def ask(
    options: argparse.Namespace, file: Path, persons: Sequence[str], pairs: Sequence[verdicts.Pair]
) -> None:
    """Ask a judge about the pairs, print its agreement and keep it as a check."""
    from ptx_judge.check import measure

    config = configured("eval", ["eval=[judge]", f"eval.judge.scorer={options.judge}", *options.words])
    if options.judge not in config.scorer:
        raise ConfigError(
            Problem(f"no scorer {options.judge!r}", did_you_mean(options.judge, list(config.scorer)))
        )
    scorer, margin = config.scorer[options.judge], config.eval["judge"].margin
    if problems := of_scorer(options.judge, scorer):
        raise ConfigError(problems)
    with running(config) as run:
        judge, _, found = measure(run, options.judge, scorer, pairs, margin, file)
    print()
    show(agreement.of_judge(judge, persons, pairs))
    path = ledger.keep(options.judge, scorer, found)
    print(
        f"\nthe judge {found.judge}: {found}; agreement {found.agreement:.1%}, both orders agree in"
        f" {found.consistency:.1%}",
        end="",
    )
    print(f", {found.unparsable} without a verdict" if found.unparsable else "")
    print(f"kept in {path}; it is reported beside win-rates by this judge")


def show(lines: Iterable[Agreement]) -> None:
    """Print agreements as a table."""
    for line in lines:
        share = "       " if math.isnan(line.share) else f"{line.share:6.1%} "
        found = words.agreement(f"{line.coefficient:21}", (line.value, line.low, line.high), line.n, ".4f")
        print(f"  {line.who:32} {share} {found}  n {line.n}")


def rank_runs(options: argparse.Namespace) -> int:
    """Ask the judge about every two runs, keep the rounds, print the order."""
    judged = {
        record.id: record
        for record in load_records([options.sweep])
        if record.status == "done" and rows_of(record)
    }
    if len(judged) < 2:
        raise ConfigError(
            Problem(
                f"{options.sweep} holds {len(judged)} runs with answers to judge",
                "it needs at least two, with eval=[judge]",
            )
        )
    config = config_of(next(iter(judged.values())))
    evaluator = next(value for value in config.eval.values() if isinstance(value, Judge))
    scorer = config.scorer[evaluator.scorer]
    if problems := of_scorer(evaluator.scorer, scorer):
        raise ConfigError(problems)
    answers = {name: rows_of(record) for name, record in judged.items()}
    with running(replace(config, name=f"rank {options.sweep.name}")) as run:
        rounds = played(run, evaluator, answers)
    path = rank.keep(options.sweep, rounds)
    for name, value, low, high in rank.order(rounds, list(answers)) or []:
        print(f"  {judged[name].run.get('label') or name:40} {value:+.3f} {words.between(low, high, '+.3f')}")
    unknown = sum(game["outcome"] is None for game in rounds)
    print(
        f"{len(rounds)} games of {len(answers)} runs{f', {unknown} without a verdict' if unknown else ''}:"
        f" {path}; ptx report shows the order"
    )
    return 0


def played(run: Run, evaluator: Judge, answers: rank.Answers) -> list[rank.Row]:
    """The verdict on every two runs, for every question that all runs share."""
    from ptx_judge.check import ask as ask_judge

    scorer, items = run.config.scorer[evaluator.scorer], rank.shared(answers)
    if scorer.comparing() is None:
        return rank.rounds_by_score(answers, "judge/score", evaluator.margin)
    rounds = []
    for a, b in rank.couples(answers):
        rows = [(answers[a][item], answers[b][item]) for item in items]
        pairs = [verdicts.Pair(x["item"], x["prompt"], (x["output"], y["output"]), ()) for x, y in rows]
        outcomes = ask_judge(run, scorer, pairs, evaluator.margin)
        rounds += [
            {"item": item, "a": a, "b": b, "outcome": outcome.value if outcome.known else None}
            for item, outcome in zip(items, outcomes, strict=True)
        ]
    return rounds


def rows_of(record: Record) -> dict[str, rank.Row]:
    """The judged rows of a run by question."""
    names = [part["name"] for part in record.result.get("evaluations") or []]
    return {row["item"]: row for name in names for row in record.rows(name) if "judge" in row}
