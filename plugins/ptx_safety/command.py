"""``ptx safety FILE [FILE ...] [key=value ...]``: judge stored replies without a model.

Further files are compared with the first one, request by request. Words with ``=`` are settings as for ``ptx
eval``: ``eval.safety.detectors=[...]``, ``scorer.safety_classifier.path=...``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptx import ConfigError, Metric, Problem, Run, RunConfig, stats
from ptx.cli.plugin_commands import configured, running
from ptx_safety import Safety
from ptx_safety.check import detects, problems
from ptx_safety.evaluate import judge, measured, stored_cases

HELP = """ptx safety FILE [FILE ...] [key=value ...]

Judge replies that were stored earlier (JailbreakBench's JSON of completions, or JSONL rows with prompt and
response, and harmful and wrapper where they apply). The second file and those after it are compared with the
first, request by request.

  ptx safety baseline.json attacked.json
  ptx safety replies.jsonl 'eval.safety.detectors=[refusal_phrases,safety_classifier]' \\
      scorer.safety_classifier.path=./guard
"""


def main(arguments: list[str]) -> int:
    """Run ``ptx safety ARGUMENTS``; returns 0, or 2 if the arguments are wrong."""
    files = [word for word in arguments if "=" not in word]
    if not files or {"-h", "--help"} & set(arguments):
        print(HELP)
        return 0 if {"-h", "--help"} & set(arguments) else 2
    try:
        config = checked([word for word in arguments if "=" in word], files)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    evaluator = config.eval["safety"]
    with running(config) as run:
        judged = [(file, rows_of(run, evaluator, Path(file))) for file in files]
    for file, rows in judged:
        print(f"{file}: {len(rows)} replies")
        for metric in measured(rows, evaluator.detectors):
            if not metric.segment:
                print(f"  {metric_line(metric)}")
    for file, rows in judged[1:]:
        print(f"{file} minus {files[0]}, paired:")
        print("".join(f"  {line}\n" for line in differences(rows, judged[0][1])), end="")
    return 0


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
    return judge(stored_cases(file), config, run.score, lambda name: detects(run.config.scorer[name]))


def differences(rows: list[dict[str, Any]], base: list[dict[str, Any]]) -> list[str]:
    """A line per score that both files have: its paired difference from ``base``."""
    names = dict.fromkeys(name for row in base for name in row["scores"])
    lines = []
    for name in names:
        here, there = (
            {row["item"]: row["scores"][name] for row in part if name in row["scores"]}
            for part in (rows, base)
        )
        gap = stats.paired_difference(here, there, "lower")
        if gap.n:
            lines.append(
                f"{name:44s} {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] n={gap.n} {gap.verdict}"
            )
    return lines


def metric_line(metric: Metric) -> str:
    """A line such as ``safety/degenerate_rate 0.010 [0.002, 0.054] n=100``."""
    if not metric.n:
        return f"{metric.name:44s} not measured: no such requests"
    return f"{metric.name:44s} {metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}] n={metric.n}"
