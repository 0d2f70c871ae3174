"""Early stopping by asynchronous successive halving (ASHA; Li et al. 2020, arXiv:1810.05934).

It works on the metrics that a training step logs. Rungs are at the training steps first, first·factor,
first·factor², ... A trial that reaches a rung continues only if its value there is among the best 1/factor of
all trials that have reached this rung; no trial waits until a rung is full. This differs from the paper in
two points: a trial that was stopped is not continued later, and no trial is stopped at a rung that fewer than
``factor`` trials have reached, because the best of two is a coin toss.

A rung belongs to the name of a step: the losses of SFT and of DPO are not compared. With several seeds the
first seed decides for its trial, compared with the first seeds of the other trials. A step whose result is in
the store costs nothing and is not stopped, but its curve is compared with the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ptx.errors import StoppedError
from ptx.hooks.run import Console
from ptx.search.config import Halving

#: step's name -> rung (as text, because it is kept as JSON) -> value there
Rungs = dict[str, dict[str, float]]


def rung_steps(rule: Halving, last: int) -> list[int]:
    """Return the rungs up to the training step ``last``."""
    found, step = [], rule.first
    while step <= last:
        found.append(step)
        step *= rule.factor
    return found


def rungs_of(rule: Halving, events: Iterable[Mapping[str, Any]], names: Iterable[str]) -> Rungs:
    """Return what a run has logged at each rung: the first value at or after it."""
    found: Rungs = {name: {} for name in names}
    for event in events:
        metrics, name = event.get("metrics") or {}, str(event.get("label"))
        if event.get("event") == "log" and name in found and rule.metric in metrics:
            for step in rung_steps(rule, int(event["step"])):
                found[name].setdefault(str(step), float(metrics[rule.metric]))
    return {name: rungs for name, rungs in found.items() if rungs}


def lags(rule: Halving, value: float, others: list[float]) -> bool:
    """Whether ``value`` is not among the best 1/factor of a rung that ``others`` have reached."""
    if len(others) + 1 < rule.factor:
        return False
    sign = 1.0 if rule.goal == "minimize" else -1.0
    mine = math.inf if math.isnan(value) else sign * value
    better = sum(sign * other < mine for other in others if not math.isnan(other))
    return better >= max(1, (len(others) + 1) // rule.factor)


@dataclass
class HalvingConsole:
    """A console that shows everything on ``inner``, and stops a step whose trial lags by raising an error.

    ``run.log`` calls ``progress`` in the middle of a step, so the error ends the step; the step needs no code
    for it.
    """

    inner: Console
    rule: Halving
    earlier: list[Rungs]  # of the other trials
    names: set[str]  # the steps that count
    _passed: set[tuple[str, int]] = field(default_factory=set)

    def say(self, text: str) -> None:
        """Print a line."""
        self.inner.say(text)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show the progress of a step; at a rung, compare it with the other trials.

        Raises:
            StoppedError: the trial is not among the best 1/factor at this rung.
        """
        self.inner.progress(label, metrics, step, total)
        if label not in self.names or self.rule.metric not in metrics or (total and step >= total):
            return
        for rung in rung_steps(self.rule, step):
            if (label, rung) not in self._passed:
                self._passed.add((label, rung))
                self._judge(label, rung, metrics[self.rule.metric])

    def _judge(self, label: str, rung: int, value: float) -> None:
        others = [rungs[label][str(rung)] for rungs in self.earlier if str(rung) in rungs.get(label, {})]
        if lags(self.rule, value, others):
            raise StoppedError(
                f"early stopping: {label} has {self.rule.metric} {value:.4g} at step {rung}, "
                f"not among the best 1/{self.rule.factor} of the {len(others) + 1} trials that got so far"
            )
