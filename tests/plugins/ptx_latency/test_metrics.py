import json
import math

import pytest

from ptx import ModelRef
from ptx_latency import Latency
from ptx_latency.metrics import cost, observed, same, scores_of, sizes, timed, zeros


def test_medians_come_with_order_statistics(by_name, turns_of):
    found = by_name(timed(Latency(new_tokens=11), turns_of(*([float(value)] for value in range(1, 101)))))
    assert found["p99_seconds"].high == math.inf  # a hundred requests bound the p95 only
    median = found["request_seconds"]
    assert (median.value, median.low, median.high) == (50.5, 40.0, 61.0)
    assert found["decode_tokens_per_second"].unit == "tokens/s"
    assert found["decode_tokens_per_second"].better == "higher"
    p95 = found["p95_seconds"]
    assert p95.low < p95.value < p95.high < math.inf


def test_requests_of_one_turn_are_not_as_many_observations(by_name, turns_of):
    blocks = [[1 + number / 10] * 8 for number in range(20)]  # all requests of a turn take alike
    together = by_name(timed(Latency(concurrency=4), turns_of(*blocks)))["request_seconds"]
    apart = by_name(timed(Latency(), turns_of(*([one] for block in blocks for one in block))))[
        "request_seconds"
    ]
    assert together.n == apart.n == 160
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
    assert by_name(timed(Latency(concurrency=4), turns_of(*blocks[:4])))["p99_seconds"].high == math.inf


def test_throughput_under_load_is_that_of_all_clients_together(turns_of):
    config = Latency(new_tokens=10, concurrency=4, per_client=2)
    (turn,) = turns_of([2.0] * 8, seconds=4.0, joules=40.0)
    scores = scores_of(config, turn)
    assert scores["latency/throughput_tokens_per_second"] == 20.0
    assert scores["latency/joules_per_token"] == 0.5
    assert scores["latency/request_seconds"] == 2.0


def test_what_is_seen_once_has_no_upper_bound():
    for metric in observed({"load_seconds": 1.0, "peak_memory_bytes": 2.0, "gpu_memory_bytes": 3.0}):
        assert (metric.low, metric.high, metric.n) == (0.0, math.inf, 1)


def test_an_adapter_weighs_what_it_needs(chat_model, tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(chat_model)}))
    disk, parameters, nonzero = sizes(ModelRef(tmp_path, kind="adapter"))
    assert nonzero.value <= parameters.value
    assert disk.value == ModelRef(chat_model).bytes + ModelRef(tmp_path).bytes
    assert parameters.low == parameters.value == parameters.high > 0


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_zeros_of_either_sign_are_counted_in_the_files(dtype, tmp_path):
    import torch
    from safetensors.torch import save_file

    values = torch.tensor([0.0, -0.0, 1e-5, -2.0, 0.0]).to(getattr(torch, dtype))
    save_file(
        {"a": values, "b": torch.ones(3, 2), "ids": torch.zeros(4, dtype=torch.int64)},
        tmp_path / "model.safetensors",
    )
    assert zeros(tmp_path) == 3


def test_energy_is_given_per_generated_token(turns_of):
    assert scores_of(Latency(new_tokens=4), *turns_of([2.0], joules=2.0))["latency/joules_per_token"] == 0.5


def test_neighbouring_requests_to_one_model_cancel_a_machine_that_slows_down():
    clock = [1.01**k for k in range(40)]  # A B | B A | A B ...
    pairs = [
        (clock[2 * n], clock[2 * n + 1]) if n % 2 == 0 else (clock[2 * n + 1], clock[2 * n])
        for n in range(20)
    ]
    ratios = same(pairs)
    assert len(ratios) == 19
    assert {round(ratio, 6) for ratio in ratios} == {round(1.01, 6), round(1 / 1.01, 6)}
    assert abs(sum(math.log(ratio) for ratio in ratios)) <= 2 * math.log(1.01)


def test_the_cost_follows_from_the_price_and_the_time():
    config = Latency(new_tokens=10, price_per_hour=3.6, currency="EUR")
    rows = [{"scores": {"latency/throughput_tokens_per_second": 20.0}}] * 80
    (found,) = cost(config, rows)
    # 20 tokens a second, 0.001 EUR a second
    assert (found.value, found.unit) == (pytest.approx(0.001 / 20 * 1e6), "EUR/M tokens")
    assert cost(Latency(), rows) == []
