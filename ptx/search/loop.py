"""The loop: ask, run, tell, write down, until there are as many trials as were asked for.

Files in the sweep's folder beside the runs: ``search.journal`` (Optuna's) and ``search.json`` (every trial
with its parameters, objectives with their intervals, gate and reason; which of them are best), written anew
after each trial.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ptx.compose.jobs import Job
from ptx.errors import ConfigError, Problem
from ptx.execute.sweep import DONE, FAILED, STOPPED, count_books, damage_of, sweep_record
from ptx.files import read_json, write_json
from ptx.hooks.host import Host
from ptx.hooks.run import Console
from ptx.plan.plan import SweepPlan
from ptx.records import SCHEMA
from ptx.search.config import SearchConfig
from ptx.search.space import text_of
from ptx.search.study import Study
from ptx.search.trial import Ended, Runner, line_of, title_of
from ptx.stats.pareto import Standing, Value, standings
from ptx.store.locks import held

UNMEASURED = re.compile(r"no evaluator measured [^;]*")


@dataclass(frozen=True)
class SearchOutcome:
    """What became of a search: every trial's record, and the numbers of the best (one, or a front) and of
    those within noise of them.
    """

    trials: list[dict[str, Any]] = field(default_factory=list)
    best: list[int] = field(default_factory=list)
    near: list[int] = field(default_factory=list)

    def count(self, state: str) -> int:
        """How many trials ended so."""
        return sum(trial["state"] == state for trial in self.trials)


class Search:
    """A search that was asked for; :meth:`check` it, then :meth:`run` it."""

    def __init__(
        self,
        host: Host,
        verb: str,
        fixed: Sequence[str],
        config: SearchConfig,
        command: str,
        console: Console,
        config_dir: str | None = None,
    ) -> None:
        self.host, self.config, self.console = host, config, console
        self.runner = Runner(host, verb, list(fixed), config, command, console, config_dir)
        self._corners: SweepPlan | None = None

    def check(self) -> tuple[list[Job], SweepPlan]:
        """Compose and plan the corners of the space, so that what is wrong is said before the first trial."""
        jobs, self._corners = self.runner.check()
        return jobs, self._corners

    def run(self, *, retry_failed: bool = False, fail_fast: bool = False) -> SearchOutcome:
        """Go on until there are enough trials; a second process waits for the first and then finds nothing to
        do.
        """
        corners = self._corners or self.check()[1]
        folder = corners.folder
        folder.mkdir(parents=True, exist_ok=True)
        waiting = lambda owner: self.console.say(f"waiting for {owner}, which is at this search")  # noqa: E731
        with held(folder / "search.lock", waiting):
            study = Study(folder, corners.name, self.config)
            queued = study.recover(retry_failed=retry_failed)
            kept = study.records()
            if kept or queued:
                self.console.say(
                    f"{len(kept)} of {self.config.trials} trials were done already and are kept; {queued} are"
                    " taken up again"
                )
            while not self._enough(study):
                ended = self._one(study, corners)
                outcome = self._write(study, corners)
                if fail_fast and ended == FAILED:
                    break
            else:
                outcome = self._write(study, corners)
        return outcome

    def _enough(self, study: Study) -> bool:
        records = study.records()
        if len(records) >= self.config.trials:
            return True
        points = self.config.space.points()
        if points is not None and {text_of(point) for point in points} <= {
            text_of(record["words"]) for record in records
        }:
            self.console.say(
                f"all {len(points)} points of the space have been tried, after {len(records)} of"
                f" {self.config.trials} trials"
            )
            return True
        return False

    def _one(self, study: Study, corners: SweepPlan) -> str:
        """Ask, run and tell one trial; returns its state."""
        records = study.records()
        trial = study.ask()
        words = self.config.space.suggest(trial)
        self.console.say(title_of(len(records) + 1, self.config.trials, words))
        same = next((record for record in records if record["words"] == words), None)
        if same is not None:
            self.console.say(f"  the same as trial {same['number']}, which answers for it")
            record = {key: value for key, value in same.items() if key not in ("number", "repeats")}
        else:
            rungs = [record["rungs"] for record in records if record["repeats"] is None]
            record = self._try(words, rungs, again=study.is_retry(trial)).record(words)
        study.tell(trial, record)
        self.console.say(f"  {line_of(record)}")
        if not any(other["state"] == DONE for other in [*records, record]) and UNMEASURED.match(
            record["reason"]
        ):
            self._write(study, corners)
            raise ConfigError(
                Problem(
                    f"the search cannot go on: {record['reason']}",
                    "mend search.objectives or add the evaluator to eval=[...]",
                )
            )
        return str(record["state"])

    def _try(self, words: dict[str, str], earlier: list[Any], *, again: bool) -> Ended:
        try:
            plan = self.runner.plan(self.runner.jobs(words))
        except ConfigError as error:  # a point that only now shows to be impossible fails by itself
            return Ended(FAILED, str(error))
        return self.runner.run(plan, earlier, again=again)

    def _write(self, study: Study, corners: SweepPlan) -> SearchOutcome:
        outcome = outcome_of(study.records(), self.config)
        config = self.config
        write_json(
            corners.folder / "search.json",
            {
                "schema": SCHEMA,
                "sampler": config.sampler,
                "seed": config.seed,
                "asked": config.trials,
                "objectives": config.objectives,
                "gate": config.gate.name if config.gate else None,
                "trials": outcome.trials,
                "best": outcome.best,
                "near": outcome.near,
            },
        )
        write_json(corners.folder / "sweep.json", _books(corners, outcome))
        return outcome


def _books(corners: SweepPlan, outcome: SearchOutcome) -> dict[str, Any]:
    """sweep.json with the runs that the trials have brought so far."""
    runs = list(dict.fromkeys(name for trial in outcome.trials for name in trial["runs"]))
    axes: dict[str, list[str]] = {}
    for trial in outcome.trials:
        for key, value in trial["words"].items():
            axes.setdefault(key, [])
            axes[key] += [value] if value not in axes[key] else []
    whole = [
        name
        for name in runs
        if (corners.folder / name / "run.json").exists() and not damage_of(corners.folder / name)
    ]
    asked = [step["key"] for name in whole for step in read_json(corners.folder / name / "run.json")["steps"]]
    books = count_books(corners.folder, whole)
    written = corners.folder / "sweep.json"
    created = {"created": read_json(written)["created"]} if written.exists() else {}
    return {
        **sweep_record(corners),
        **created,
        "axes": axes,
        "runs": runs,
        "steps": {"asked": len(asked), "distinct": len(set(asked))},
        "books": books,
    }


def outcome_of(records: list[dict[str, Any]], config: SearchConfig) -> SearchOutcome:
    """Which trials are best: not dominated among those that are done and pass the gate."""
    fit = [record for record in records if record["state"] == DONE and record["repeats"] is None]
    fit = [record for record in fit if all(verdict == "holds" for verdict in record["gate"].values())]
    points = [[_value(record["metrics"][name]) for name in config.objectives] for record in fit]
    where = standings(points, config.directions)
    numbers: dict[Standing, list[int]] = {"front": [], "near": []}
    for record, standing in zip(fit, where, strict=True):
        numbers.setdefault(standing, []).append(record["number"])
    return SearchOutcome(records, numbers["front"], numbers["near"])


def _distance(trial: dict[str, Any]) -> float:
    """How far a trial is from passing the gate."""
    return float(sum(max(0.0, violation) for violation in trial["violations"].values()))


def _value(metric: dict[str, Any]) -> Value:
    return Value(metric["value"], metric["low"], metric["high"])


def conclusion(outcome: SearchOutcome, config: SearchConfig) -> list[str]:
    """The end of a search in a few lines."""
    counted = [
        f"{outcome.count(DONE)} done",
        f"{outcome.count(STOPPED)} stopped early",
        f"{outcome.count(FAILED)} failed",
    ]
    lines = [f"{len(outcome.trials)} trials: {', '.join(counted)}"]
    by_number = {trial["number"]: trial for trial in outcome.trials}
    if not outcome.best:
        closest = sorted((t for t in outcome.trials if t["state"] == DONE), key=_distance)[:1]
        lines += [f"no trial passes gate {config.gate.name}" for _ in closest if config.gate]
        lines += [f"closest to it: trial {t['number']}: {text_of(t['words'])}: {line_of(t)}" for t in closest]
    head = "best" if len(config.objectives) == 1 else "front"
    lines += [
        f"{head}: trial {number}: {text_of(by_number[number]['words'])}: {line_of(by_number[number])}"
        for number in outcome.best
    ]
    if outcome.near:
        lines.append(
            f"within noise of {'it' if len(outcome.best) == 1 else 'them'}: trials"
            f" {', '.join(map(str, outcome.near))}"
        )
    return lines
