"""``ptx sweep FILE`` for a file with a ``search:`` part: check it, run it, report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ptx.cli import running, train
from ptx.cli.console import Terminal
from ptx.cli.parser import Parser
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.plain_yaml import parse_yaml
from ptx.hooks.host import get_host
from ptx.plan.plan import SweepPlan, command_line
from ptx.search import Search, SearchConfig, SearchOutcome, read_search
from ptx.search.loop import conclusion
from ptx.search.study import optuna


def main(study: dict[str, Any], name: str, arguments: Sequence[str], more: Sequence[str]) -> int:
    """Run a search; returns exit code 1 if a trial failed or none is done."""
    options = _parser().parse_args(list(more))
    words = [word for word in options.overrides if not word.startswith("search.")]
    given = _changed(study["search"], [word for word in options.overrides if word.startswith("search.")])
    fixed = [*study["overrides"], *words]
    optuna()
    host = get_host()
    train.warn_of_broken(host)
    config = read_search(host, given, fixed, options.config_dir)
    with Terminal() as terminal:
        search = Search(
            host,
            study["verb"],
            [name, *fixed],
            config,
            command_line(["sweep", *arguments]),
            terminal,
            options.config_dir,
        )
        jobs, corners = search.check()
        train.check_recipe(study["verb"], jobs)
        train.set_threads(jobs[0].config.threads)
        for note in corners.notes:
            terminal.say(note)
        for line in _plan_lines(config, corners):
            terminal.say(line)
        if options.dry_run:
            return 0
        outcome = search.run(retry_failed=options.retry_failed, fail_fast=options.fail_fast)
        return _finish(outcome, config, corners, terminal)


def _parser() -> argparse.ArgumentParser:
    parser = Parser("ptx sweep FILE", description="Run the search that a YAML file describes.")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="added to the file's overrides; search.trials=80 changes the search",
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything, print the plan and stop")
    parser.add_argument(
        "--config-dir", metavar="DIR", help="a folder of YAML choices that comes before all others"
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="run trials again that failed in an earlier command"
    )
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first trial that fails")
    return parser


def _changed(search: Any, words: Sequence[str]) -> Any:
    """Return the search with the changes that ``search.FIELD=value`` words make."""
    if not isinstance(search, dict):
        return search
    changed = dict(search)
    for word in words:
        path, equals, value = word.removeprefix("search.").partition("=")
        field, *rest = path.split(".", 1)
        if not equals or (rest and not isinstance(changed.get(field), dict)):
            raise ConfigError(Problem(f"cannot use {word!r}", did_you_mean(field, list(changed))))
        new = parse_yaml(value, word)
        changed[field] = {**changed[field], rest[0]: new} if rest else new
    return changed


def _plan_lines(config: SearchConfig, corners: SweepPlan) -> list[str]:
    points = config.space.points()
    goals = ", ".join(f"{direction} {name}" for name, direction in config.objectives.items())
    size = f"{len(points)} points" if points is not None else f"{len(config.space.axes)} axes"
    lines = [
        f"search {corners.name}: {config.trials} trials by {config.sampler} over {size}"
        + (f", each under {len(config.seeds)} seeds" if config.seeds else "")
        + f"; {goals}"
    ]
    if config.gate:
        lines += [
            f"  gate {config.gate.name}: {name}: {constraint}"
            for name, constraint in config.gate.constraints.items()
        ]
    if config.early_stopping:
        rule = config.early_stopping
        lines.append(
            f"  early stopping: the best 1/{rule.factor} by {rule.metric} continue at steps {rule.first},"
            f" {rule.first * rule.factor}, ..."
        )
    return lines


def _finish(outcome: SearchOutcome, config: SearchConfig, corners: SweepPlan, terminal: Terminal) -> int:
    failed = outcome.count("failed")
    running.finish(corners, terminal, failed=bool(failed))
    for trial in outcome.trials:
        if trial["state"] == "failed":
            terminal.say(f"failed: trial {trial['number']}: {trial['reason']}")
    for line in conclusion(outcome, config):
        terminal.say(line)
    return 1 if failed or not outcome.count("done") else 0
