"""``ptx judge check``: how far a judge agrees with people. ``ptx judge rank``: the runs of a sweep against
each other.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ptx import ConfigError, Problem, Run, RunConfig, did_you_mean, machine
from ptx.compose.jobs import compose_jobs
from ptx.hooks.host import get_host
from ptx.plan.serialize import thaw
from ptx.report.table.records import Record, load_records
from ptx_judge import agreement, ledger, rank, verdicts
from ptx_judge.agreement import Agreement
from ptx_judge.config import Judge
from ptx_judge.validate import of_scorer

DESCRIPTION = "Measure a judge against human verdicts; rank the runs of a sweep pair by pair."
EXAMPLES = """examples:
  ptx judge check ./pandalm                      how people agree with each other, and judges whose verdicts lie there
  ptx judge check ./pandalm --judge rule         ask a judge too, and keep its kappa: win-rates by it are then told with it
  ptx judge check ./pandalm --judge endpoint scorer.endpoint.base_url=http://localhost:8000/v1 scorer.endpoint.model=NAME
  ptx judge rank ptx-out/runs/SWEEP              every two runs by the judge of their evaluation; ptx report then shows the order
"""


class Plain:
    """Progress on a terminal that is only printed to."""

    def say(self, text: str) -> None:
        """Print a line."""
        print(text)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Nothing: lines are few here."""


def main(arguments: list[str]) -> int:
    """Run ``ptx judge ARGUMENTS``; returns the exit code."""
    top = parser()
    options, rest = top.parse_known_args(arguments)
    if stray := [word for word in rest if word.startswith("-") or "=" not in word or options.verb != "check"]:
        top.error(f"unrecognized arguments: {' '.join(stray)}")
    options.words = [
        *getattr(options, "words", []),
        *rest,
    ]  # argparse loses words that stand behind an option
    return check(options) if options.verb == "check" else rank_runs(options)


def parser() -> argparse.ArgumentParser:
    """The arguments of ``ptx judge``."""
    form = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EXAMPLES}
    top = argparse.ArgumentParser("ptx judge", description=DESCRIPTION, **form)  # type: ignore[arg-type]
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    one = verbs.add_parser("check", help="agreement of people and judges, with intervals", **form)  # type: ignore[arg-type]
    one.add_argument(
        "data",
        type=Path,
        help="file of human verdicts (PandaLM's format), or a folder with one and judges' verdicts",
    )
    one.add_argument("--judge", help="a scorer to ask, by name")
    one.add_argument("--limit", type=int, help="ask about the first N pairs only")
    one.add_argument(
        "words",
        nargs="*",
        metavar="key=value",
        help="settings of the judge (scorer.NAME.FIELD=...), eval.judge.margin=...",
    )
    two = verbs.add_parser("rank", help="round robin over the runs of a sweep", **form)  # type: ignore[arg-type]
    two.add_argument("sweep", type=Path, help="the sweep's folder")
    return top


def check(options: argparse.Namespace) -> int:
    """Print who agrees with whom; ask a judge and keep its check."""
    file, persons, pairs, stored = verdicts.load(options.data)
    split = sum(pair.majority is None for pair in pairs)
    print(
        f"{file.name}: {len(pairs)} pairs, {len(persons)} annotators; {split} pairs have no majority and are"
        " left out where one is needed\n"
    )
    lines = agreement.of_people(persons, pairs)
    for judge in stored:
        lines += agreement.of_judge(judge, persons, pairs)
        if judge.unreadable:
            print(f"{judge.name}: {judge.unreadable} verdicts are none of 1, 2 and 0 and are left out")
    show(lines)
    if options.judge:
        ask(options, file, persons, pairs[: options.limit])
    elif options.words or options.limit:
        raise ConfigError(
            Problem(
                f"no judge is asked, so {' '.join(options.words) or '--limit'} means nothing",
                "name one: --judge NAME",
            )
        )
    return 0


def ask(
    options: argparse.Namespace, file: Path, persons: Sequence[str], pairs: Sequence[verdicts.Pair]
) -> None:
    """Ask a judge about the pairs, print how it agrees, keep that."""
    from ptx_judge.check import measure

    config = compose_jobs(
        get_host(), "eval", ["eval=[judge]", f"eval.judge.scorer={options.judge}", *options.words]
    )[0].config
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
    print(f"kept in {path}; win-rates by this judge are told with it")


def show(lines: Iterable[Agreement]) -> None:
    """A table."""
    for line in lines:
        share = "       " if math.isnan(line.share) else f"{line.share:6.1%} "
        print(
            f"  {line.who:32} {share} {line.coefficient:21} {line.value:.4f} [{line.low:.4f},"
            f" {line.high:.4f}]  n {line.n}"
        )


@contextmanager
# an iterator of Run, which contextmanager hides
def running(config: RunConfig):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """A run outside of any sweep."""
    with tempfile.TemporaryDirectory(prefix="ptx-judge-") as name:
        folder = Path(name)
        device = machine.resolve_device(config.device)
        yield Run(config, get_host(), Plain(), folder, folder / "events.jsonl", folder, config.seed, device)


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
                "at least two, with eval=[judge]",
            )
        )
    config = thaw(next(iter(judged.values())).run["config"], get_host())
    evaluator = next(value for value in config.eval.values() if isinstance(value, Judge))
    scorer = config.scorer[evaluator.scorer]
    if problems := of_scorer(evaluator.scorer, scorer):
        raise ConfigError(problems)
    answers = {name: rows_of(record) for name, record in judged.items()}
    with running(replace(config, name=f"rank {options.sweep.name}")) as run:
        rounds = played(run, evaluator, answers)
    path = rank.keep(options.sweep, rounds)
    for name, value, low, high in rank.order(rounds, list(answers)) or []:
        print(f"  {judged[name].run.get('label') or name:40} {value:+.3f} [{low:+.3f}, {high:+.3f}]")
    unknown = sum(game["outcome"] is None for game in rounds)
    print(
        f"{len(rounds)} games of {len(answers)} runs{f', {unknown} without a verdict' if unknown else ''}:"
        f" {path}; ptx report shows the order"
    )
    return 0


def played(run: Run, evaluator: Judge, answers: rank.Answers) -> list[rank.Row]:
    """Every two runs on every shared question."""
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
