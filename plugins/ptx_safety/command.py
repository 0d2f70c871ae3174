"""``ptx safety FILE [FILE ...] [key=value ...]``: judge stored replies without a model.

Further files are compared with the first one, request by request. ``ptx safety check FILE`` measures how far
the detectors agree with the labels that people gave to the replies of a file. Words with ``=`` are settings
as for ``ptx eval``: ``eval.safety.detectors=[...]``, ``scorer.safety_classifier.path=...``.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptx import ConfigError, Metric, Problem, Run, RunConfig, stats
from ptx.cli.plugin_commands import configured, running
from ptx.stats.words import between
from ptx_safety import Safety, people
from ptx_safety.check import detects, problems
from ptx_safety.decided import undecided
from ptx_safety.evaluate import DECIDED, judge, meanings, measured, stored_cases

HELP = """usage: ptx safety FILE [FILE ...] [key=value ...]
       ptx safety check FILE [FILE ...] [key=value ...]

Judge replies that were stored earlier: JailbreakBench's JSON of completions, or a set of requests (XSTest,
JailbreakBench, HarmBench, AdvBench, StrongREJECT, or prompt and harmful) with a column response, as CSV, JSON
or JSONL. The second file and those after it are compared with the first, request by request.

check: measure the detectors against what people said of the replies (columns final_label as in XSTest,
refused; human_majority, unsafe or jailbroken), and keep their kappa, which is then said beside the rates.

examples:
  ptx safety baseline.json attacked.json
  ptx safety replies.jsonl 'eval.safety.detectors=[refusal_phrases,safety_classifier]' \\
      scorer.safety_classifier.path=./guard
  ptx safety check xstest_completions_gpt4.csv 'eval.safety.detectors=[refusal_opening,refusal_phrases]'
"""


def main(arguments: list[str]) -> int:
    """Run ``ptx safety ARGUMENTS``; returns 0, or 2 if the arguments are wrong."""
    files = [word for word in arguments if "=" not in word]
    checking = files[:1] == ["check"] and not Path("check").is_file()
    files = files[checking:]
    if not files or {"-h", "--help"} & set(arguments):
        print(HELP)
        return 0 if {"-h", "--help"} & set(arguments) else 2
    try:
        config = checked([word for word in arguments if "=" in word], files)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    evaluator = config.eval["safety"]
    if checking:
        return check(config, files)
    with running(config) as run:
        meaning = meanings(run)
        judged = [(file, rows_of(run, evaluator, Path(file))) for file in files]
    blind: set[str] = set()
    for file, rows in judged:
        print(f"{file}: {len(rows)} replies")
        for metric in measured(rows, evaluator, meaning):
            if not metric.segment:
                print(f"  {metric_line(metric)}")
        blind |= {name for name in DECIDED if undecided(name, rows, evaluator, meaning)}
    for file, rows in judged[1:]:
        print(f"{file} minus {files[0]}, paired:")
        print("".join(f"  {line}\n" for line in differences(rows, judged[0][1], blind)), end="")
    return 0


def check(config: RunConfig, files: list[str]) -> int:
    """Print and keep the agreement of every detector with people; returns 2 if no file has labels.

    With several files, each is shown, and the agreement over all of them together is kept.
    """
    evaluator, paths = config.eval["safety"], [Path(file) for file in files]
    kept = []
    with running(config) as run:
        for name in evaluator.detectors:
            parts = [[path] for path in paths] if len(paths) > 1 else []
            shown = [people.measure(run, evaluator, name, part) for part in parts]
            print("".join(f"{name}: {made}\n" for made in shown if made), end="")
            if (made := people.measure(run, evaluator, name, paths)) is None:
                print(f"{name}: not checked, as no file has labels of {detects(config.scorer[name])}")
                continue
            kept.append(people.keep(run, made))
            admitted = "admitted" if made.kappa >= evaluator.min_kappa else "not admitted"
            lost = f", {made.unscored} without a score" if made.unscored else ""
            print(f"{name}: {made}; agreement {made.agreement:.1%}{lost}; {admitted}, kept in {kept[-1]}")
    if not kept:
        columns = ", ".join((*people.REFUSAL, *people.HARM))
        print(
            f"nothing was checked: name a file with labels by people, a column of {columns}", file=sys.stderr
        )
    return 0 if kept else 2


def checked(words: list[str], files: list[str]) -> RunConfig:
    """The configuration of the words, checked together with the files.

    Raises:
        ConfigError: with everything that is wrong.
    """
    config = configured("eval", ["eval=[safety]", *words])
    evaluator = config.eval["safety"]
    unknown = [name for name in evaluator.detectors if name not in config.scorer]
    found = [Problem(f"no scorer {name!r}", f"known: {', '.join(config.scorer)}") for name in unknown]
    for file in files:
        found += problems(replace(config, eval={"safety": replace(evaluator, completions=file)}))
    if found:
        raise ConfigError(list(dict.fromkeys(found)))
    return config


def rows_of(run: Run, config: Safety, file: Path) -> list[dict[str, Any]]:
    """The judged rows of one file."""
    return judge(stored_cases(file), config, run.score, meanings(run))


def differences(
    rows: list[dict[str, Any]], base: list[dict[str, Any]], blind: Collection[str] = ()
) -> list[str]:
    """A line per score that both files have: its paired difference from ``base``.

    ``blind`` are rates that are not decided on one of the files.
    """
    names = dict.fromkeys(name for row in base for name in row["scores"])
    lines = [f"{name:44s} not decided" for name in names if name in blind]
    for name in names:
        if name in blind:
            continue
        here, there = (
            {row["item"]: row["scores"][name] for row in part if name in row["scores"]}
            for part in (rows, base)
        )
        gap = stats.paired_difference(here, there, "lower")
        if gap.n:
            lines.append(
                f"{name:44s} {gap.value:+.3f} {between(gap.low, gap.high, '+.3f')} n={gap.n} {gap.verdict}"
            )
    return lines


def metric_line(metric: Metric) -> str:
    """A line such as ``safety/degenerate_rate 0.010 [0.002, 0.054] n=100``."""
    if not metric.n:
        return f"{metric.name:44s} not measured: no such requests"
    if metric.note:
        return f"{metric.name:44s} {metric.note}"
    return f"{metric.name:44s} {metric.value:.3f} {between(metric.low, metric.high)} n={metric.n}"
