"""The loop of a search: ask the study for a point, run it, tell the study the result, write the record.

It writes two files beside the runs in the sweep's folder. ``search.journal`` is Optuna's. ``search.json``
holds every trial with its parameters, its objectives with their intervals, its gate and its reason, and says
which trials are best; it is written anew after each trial.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ptx.compose.jobs import Job
from ptx.errors import ConfigError, Problem
from ptx.execute.sweep import DONE, FAILED, STOPPED, damage_of, step_counts, sweep_record
from ptx.files import read_json, write_json
from ptx.hooks.host import Host
from ptx.hooks.run import Console
from ptx.plan.plan import SweepPlan
from ptx.records import SCHEMA
from ptx.search.config import SearchConfig
from ptx.search.space import text_of
from ptx.search.study import Study
from ptx.search.trial import TrialResult, TrialRunner, line_of, title_of
from ptx.stats.pareto import Standing, Value, standings
from ptx.store.locks import held

UNMEASURED = re.compile(r"no evaluator measured [^;]*")


@dataclass(frozen=True)
class SearchOutcome:
    """The result of a search.

    Attributes:
        trials: the record of every trial.
        best: numbers of the best trials: one, or a front.
        near: numbers of the trials that are within noise of the best.
    """

    trials: list[dict[str, Any]] = field(default_factory=list)
    best: list[int] = field(default_factory=list)
    near: list[int] = field(default_factory=list)

    def count(self, state: str) -> int:
        """Return how many trials ended in ``state``."""
        return sum(trial["state"] == state for trial in self.trials)


class Search:
    """A search; :meth:`check` it, then :meth:`run` it."""

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
        self.runner = TrialRunner(host, verb, list(fixed), config, command, console, config_dir)
        self._corners: SweepPlan | None = None

    def check(self) -> tuple[list[Job], SweepPlan]:
        """Compose and plan the corners of the space, so that problems are found before the first trial.

        Raises:
            ConfigError: with everything that is wrong.
        """
        jobs, self._corners = self.runner.check()
        return jobs, self._corners

    def _say_waiting(self, owner: str) -> None:
        self.console.say(f"waiting for {owner}, which is running this search")

    def run(self, *, retry_failed: bool = False, fail_fast: bool = False) -> SearchOutcome:
        """Run trials until there are enough.

        A second process on the same search waits for the first, and then finds nothing to do.

        Args:
            retry_failed: run the trials again that failed in an earlier command.
            fail_fast: stop after the first trial that fails.

        Raises:
            ConfigError: no evaluator measures an objective.
        """
        corners = self._corners or self.check()[1]
        folder = corners.folder
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder / "search.lock", self._say_waiting):
            study = Study(folder, corners.name, self.config)
            queued = study.recover(retry_failed=retry_failed)
            kept = study.records()
            if kept or queued:
                self.console.say(
                    f"{len(kept)} of {self.config.trials} trials were done already and are kept; {queued} are"
                    " run again"
                )
            while not self._enough(study):
                ended = self._run_trial(study, corners)
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

    def _run_trial(self, study: Study, corners: SweepPlan) -> str:
        """Ask for one trial, run it and record it; returns its state."""
        records = study.records()
        trial = study.ask()
        words = self.config.space.suggest(trial)
        self.console.say(title_of(len(records) + 1, self.config.trials, words))
        same = next((record for record in records if record["words"] == words), None)
        if same is not None:
            self.console.say(f"  the same point as trial {same['number']}: its record is used")
            record = {key: value for key, value in same.items() if key not in ("number", "repeats")}
        else:
            rungs = [record["rungs"] for record in records if record["repeats"] is None]
            record = self._run_point(words, rungs, again=study.is_retry(trial)).record(words)
        study.tell(trial, record)
        self.console.say(f"  {line_of(record)}")
        if not any(other["state"] == DONE for other in [*records, record]) and UNMEASURED.match(
            record["reason"]
        ):
            self._write(study, corners)
            raise ConfigError(
                Problem(
                    f"the search cannot continue: {record['reason']}",
                    "correct search.objectives or add the evaluator to eval=[...]",
                )
            )
        return str(record["state"])

    def _run_point(self, words: dict[str, str], earlier: list[Any], *, again: bool) -> TrialResult:
        try:
            plan = self.runner.plan(self.runner.jobs(words))
        except ConfigError as error:  # a point that turns out to be impossible fails only its own trial
            return TrialResult(FAILED, str(error))
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
        write_json(corners.folder / "sweep.json", _sweep_record(corners, outcome))
        return outcome


def _sweep_record(corners: SweepPlan, outcome: SearchOutcome) -> dict[str, Any]:
    """Return the content of sweep.json with the runs of the trials so far."""
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
    books = step_counts(corners.folder, whole)
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
    """Find the best trials: those not dominated, among the trials that are done and pass the gate."""
    fit = [record for record in records if record["state"] == DONE and record["repeats"] is None]
    fit = [record for record in fit if all(verdict == "holds" for verdict in record["gate"].values())]
    points = [[_value(record["metrics"][name]) for name in config.objectives] for record in fit]
    where = standings(points, config.directions)
    numbers: dict[Standing, list[int]] = {"front": [], "near": []}
    for record, standing in zip(fit, where, strict=True):
        numbers.setdefault(standing, []).append(record["number"])
    return SearchOutcome(records, numbers["front"], numbers["near"])


def _distance(trial: dict[str, Any]) -> float:
    """Return how far a trial is from passing the gate: the sum of its violations."""
    return float(sum(max(0.0, violation) for violation in trial["violations"].values()))


def _value(metric: dict[str, Any]) -> Value:
    return Value(metric["value"], metric["low"], metric["high"])


def conclusion(outcome: SearchOutcome, config: SearchConfig) -> list[str]:
    """Return the summary of a search in a few lines."""
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
        lines += [
            f"closest to passing: trial {t['number']}: {text_of(t['words'])}: {line_of(t)}" for t in closest
        ]
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
