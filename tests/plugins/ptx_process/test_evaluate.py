"""A scripted scorer on labelled steps."""

import json
import math
from dataclasses import dataclass

import pytest

import ptx_process
from ptx import Choice, RunConfig, Score, Scorer, hookimpl
from ptx.testing import undeclared_metrics
from ptx_process import ProcessEvaluation
from ptx_process.evaluate import first_error


@dataclass
class Marks(Scorer):
    """A step with an exclamation mark is wrong."""


class Plugin:
    __name__ = "marks"

    @hookimpl
    def ptx_choices(self):
        return [Choice("scorer", "marks", Marks)]

    @hookimpl
    def ptx_score(self, scorer, completions):
        if not isinstance(scorer, Marks):
            return None
        found = []
        for text in completions:
            steps = [0.1 if "!" in line else 0.9 for line in text.splitlines()]
            found.append(
                Score(math.nan, "failed") if "long" in text else Score(min(steps), said=json.dumps(steps))
            )
        return found


def test_steps_and_first_errors_are_measured(make_run, tmp_path):
    rows = [
        {"prompt": "p", "steps": ["a", "b!"], "labels": [True, False]},
        {"prompt": "p", "steps": ["a\nb", "c!", "d"], "labels": [True, True, False]},
        {"prompt": "q", "steps": ["a"], "labels": [True]},
        {"prompt": "r", "steps": ["long"], "labels": [True]},
    ]
    file = tmp_path / "steps.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = make_run(RunConfig(scorer={"it": Marks()}), [ptx_process, Plugin()])
    evaluator = ProcessEvaluation(steps=[str(file)], scorer="it")
    found = run.host.first("ptx_evaluate", run=run, evaluator=evaluator, model=None, lm=None, baseline=None)
    values = {one.name: one for one in found.metrics}
    assert values["process/accuracy"].value == pytest.approx(4 / 6)
    assert values["process/first_error"].value == pytest.approx(2 / 3)
    assert values["process/unscored"].value == pytest.approx(1 / 4)
    assert [row["status"] for row in found.rows] == ["ok", "ok", "ok", "unscored"]
    assert len({row["cluster"] for row in found.rows}) == 3
    assert undeclared_metrics(ProcessEvaluation, found.metrics) == []
    assert evaluator.inputs() == [file]


def test_the_first_error_is_a_place_or_none():
    assert first_error([True, False, False]) == 1
    assert first_error([True]) is None
