from pathlib import Path

import pytest

from ptx import RunConfig
from ptx.testing import check_plugin, undeclared_metrics
from ptx_bench import Bench, ptx_evaluate, ptx_validate
from ptx_bench.evaluate import evaluate


def test_an_evaluator_of_another_plugin_is_left_alone(make_run, lm):
    assert ptx_evaluate(make_run(), object(), lm) is None
    assert ptx_validate(RunConfig(eval={"other": object()}), Path()) == []


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_bench")


def test_every_metric_that_is_measured_is_declared(make_run, write_tasks, kinds, lm):
    evaluation = evaluate(make_run(), Bench(tasks=[str(write_tasks(**kinds))]), lm)
    assert len(evaluation.metrics) > 5
    assert undeclared_metrics(Bench, evaluation.metrics) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"chat_template": "maybe"}, "eval.bench.chat_template must be auto, true or false, got 'maybe'"),
        ({"limit": 0}, "eval.bench.limit must be at least 1, got 0"),
        ({"num_fewshot": -1}, "eval.bench.num_fewshot must be at least 0, got -1"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_fix(settings, said):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        Bench(**settings)
    assert said in str(refused.value)
