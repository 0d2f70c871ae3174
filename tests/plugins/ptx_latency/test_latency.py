import pytest

from ptx import ModelRef
from ptx.testing import check_plugin, undeclared_metrics
from ptx_latency import Latency
from ptx_latency.metrics import cost, in_turns, observed, scores_of, sizes, timed


def test_several_prompts_in_a_request_and_several_clients_are_not_mixed():
    with pytest.raises(
        ValueError,
        match=r"are both above 1; a client sends one prompt at a time: try eval\.latency\.batch_size=1",
    ):
        Latency(batch_size=2, concurrency=2)


@pytest.mark.parametrize("settings", [{"new_tokens": 1}, {"repeats": 1}, {"threads": 0}])
def test_a_setting_that_cannot_be_is_refused_with_the_fix(settings):
    with pytest.raises(
        ValueError, match=r"eval\.latency\.\w+ must be at least \d, got \d; try eval\.latency\.\w+=2"
    ):
        Latency(**settings)


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_latency")


def test_every_metric_that_is_measured_is_declared_and_every_declared_one_is_measured(chat_model, turns_of):
    config = Latency(concurrency=2, price_per_hour=1.0)
    turns = turns_of([1.0, 2.0], [2.0, 3.0], [1.0, 1.0], joules=4.0)
    rows = [{"scores": scores_of(config, turn), "beside": scores_of(config, turn)} for turn in turns]
    seen = {"load_seconds": 1.0, "peak_memory_bytes": 2.0, "gpu_memory_bytes": 3.0}
    metrics = [*in_turns(rows), *timed(config, turns), *cost(config, rows), *observed(seen)]
    metrics += sizes(ModelRef.of(chat_model))
    assert undeclared_metrics(Latency, metrics) == []
    assert {metric.name for metric in metrics} == set(Latency.metrics)
