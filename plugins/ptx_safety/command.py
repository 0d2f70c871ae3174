"""``ptx safety FILE [FILE ...] [key=value ...]``: judge stored replies without a model; further files are
compared with the first, paired.

The words with ``=`` are those of ``ptx eval``: ``eval.safety.detectors=[...]``,
``scorer.safety_classifier.path=...``.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptx import ConfigError, Metric, Problem, Run, stats
from ptx.compose.jobs import compose_jobs
from ptx.hooks.host import get_host
from ptx.machine import resolve_device
from ptx_safety import Safety
from ptx_safety.check import detects, problems
from ptx_safety.evaluate import judge, measured, stored_cases

HELP = """ptx safety FILE [FILE ...] [key=value ...]

Judge replies that were stored earlier (JailbreakBench's JSON of completions, or JSONL rows with prompt and
response, and harmful and wrapper where they apply). The second file and those after it are compared with the
first, request by request.

  ptx safety baseline.json attacked.json
  ptx safety replies.jsonl 'eval.safety.detectors=[refusal_phrases,safety_classifier]' scorer.safety_classifier.path=./guard
"""


class _Lines:
    """A console that prints what is said."""

    def say(self, text: str) -> None:
        print(text)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Nothing to show."""


def main(arguments: list[str]) -> int:
    """Exit code 0, or 2 when something is wrong with what was typed."""
    files = [word for word in arguments if "=" not in word]
    if not files or {"-h", "--help"} & set(arguments):
        print(HELP)
        return 0 if {"-h", "--help"} & set(arguments) else 2
    try:
        run, config = opened([word for word in arguments if "=" in word], files)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    judged = [(file, rows_of(run, config, Path(file))) for file in files]
    for file, rows in judged:
        print(f"{file}: {len(rows)} replies")
        for metric in measured(rows, config.detectors):
            if not metric.segment:
                print(f"  {metric_line(metric)}")
    for file, rows in judged[1:]:
        print(f"{file} minus {files[0]}, paired:")
        print("".join(f"  {line}\n" for line in differences(rows, judged[0][1])), end="")
    return 0


def opened(words: list[str], files: list[str]) -> tuple[Run, Safety]:
    """A run to ask scorers with, and the evaluator; raises ConfigError with everything that is wrong."""
    host = get_host()
    (job,) = compose_jobs(host, "eval", ["eval=[safety]", *words])
    config = job.config.eval["safety"]
    unknown = [name for name in config.detectors if name not in job.config.scorer]
    found = [Problem(f"no scorer {name!r}", f"known: {', '.join(job.config.scorer)}") for name in unknown]
    for file in files:
        found += problems(replace(job.config, eval={"safety": replace(config, completions=file)}))
    if found:
        raise ConfigError(list(dict.fromkeys(found)))
    folder = Path(tempfile.mkdtemp(prefix="ptx-safety-"))
    device = resolve_device(job.config.device)
    return (
        Run(job.config, host, _Lines(), folder, folder / "events.jsonl", folder, job.config.seed, device),
        config,
    )


def rows_of(run: Run, config: Safety, file: Path) -> list[dict[str, Any]]:
    """The rows of one file."""
    return judge(stored_cases(file), config, run.score, lambda name: detects(run.config.scorer[name]))


def differences(rows: list[dict[str, Any]], base: list[dict[str, Any]]) -> list[str]:
    """The paired difference of every score that both files have."""
    names = dict.fromkeys(name for row in base for name in row["scores"])
    lines = []
    for name in names:
        here, there = (
            {row["item"]: row["scores"][name] for row in part if name in row["scores"]}
            for part in (rows, base)
        )  # nan: unscored
        gap = stats.paired_difference(here, there, "lower")
        if gap.n:
            lines.append(
                f"{name:44s} {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}] n={gap.n} {gap.verdict}"
            )
    return lines


def metric_line(metric: Metric) -> str:
    """``safety/degenerate_rate 0.010 [0.002, 0.054] n=100``."""
    if not metric.n:
        return f"{metric.name:44s} not measured: no such requests"
    return f"{metric.name:44s} {metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}] n={metric.n}"
