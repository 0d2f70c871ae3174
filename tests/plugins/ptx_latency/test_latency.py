import json
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

import ptx_hf
from ptx import ModelRef, RunConfig, StepError
from ptx.hooks.host import load_host
from ptx_hf import HF
from ptx_latency import Latency, ptx_evaluate
from ptx_latency import child as latency_child
from ptx_latency.clients import by_threads, turn_of
from ptx_latency.energy import Meter
from ptx_latency.evaluate import call_child
from ptx_latency.metrics import cost, observed, same, scores_of, sizes, timed, zeros


@pytest.fixture
def run(make_run, monkeypatch, tmp_path):
    """A run whose child processes find the hf runtime, also where ptx is not installed."""
    monkeypatch.chdir(tmp_path)
    if ("runtime", "hf") not in load_host(tmp_path).choices:
        (tmp_path / "ptxfile.py").write_text("from ptx_hf import ptx_choices, ptx_load\n")
    return make_run(RunConfig(runtime=HF()), [ptx_hf])


@pytest.mark.slow
def test_a_fresh_process_measures_time_memory_and_size(run, chat_model):
    config = Latency(prompt_tokens=8, new_tokens=4, warmup=1, repeats=6)
    evaluation = ptx_evaluate(run, config, ModelRef.of(chat_model))
    found = {metric.name: metric for metric in evaluation.metrics}
    for name in (
        "prefill_seconds",
        "request_seconds",
        "decode_tokens_per_second",
        "p95_seconds",
        "load_seconds",
        "peak_memory_bytes",
    ):
        metric = found[f"latency/{name}"]
        assert 0 <= metric.low <= metric.value <= metric.high
        assert metric.better == ("higher" if name.startswith("decode") else "lower")
    assert found["latency/request_seconds"].n == len(evaluation.rows) == 6
    assert (
        found["latency/p95_seconds"].high == math.inf
    )  # six requests say nothing about how slow the slowest of a hundred is
    assert 50e6 < found["latency/peak_memory_bytes"].value < 5e9
    assert found["size/bytes_on_disk"].value == ModelRef.of(chat_model).bytes
    assert run.console.progressed[-1]["step"] == run.console.progressed[-1]["total"] == 7
    row = evaluation.rows[0]["scores"]
    assert row["latency/request_seconds"] == pytest.approx(
        row["latency/prefill_seconds"] + 3 / row["latency/decode_tokens_per_second"]
    )


@pytest.mark.slow
def test_requests_take_turns_with_the_baseline(run, chat_model):
    config = Latency(prompt_tokens=8, new_tokens=4, warmup=1, repeats=8)
    evaluation = ptx_evaluate(run, config, ModelRef.of(chat_model), ModelRef.of(chat_model))
    ratio = next(metric for metric in evaluation.metrics if metric.name == "latency/request_ratio")
    assert 0.3 < ratio.value < 3  # the same model
    assert ratio.n == 8
    assert all(row["beside"].keys() == row["scores"].keys() for row in evaluation.rows)
    assert all(
        row["latency"] == pytest.approx(row["scores"]["latency/request_seconds"], abs=1e-6)
        for row in evaluation.rows
    )
    assert len({row["item"] for row in evaluation.rows}) == 8


def test_a_child_that_fails_is_an_error_with_its_last_words(run, chat_model, monkeypatch):
    monkeypatch.setattr(
        "ptx_latency.evaluate.specification",
        lambda *_: {"model": {}, "runtime": "nowhere", "runtime_config": {}},
    )
    with pytest.raises(StepError, match=r"exit code 1:\n(.|\n)*KeyError: \('runtime', 'nowhere'\)"):
        ptx_evaluate(run, Latency(), ModelRef.of(chat_model))


def test_the_child_runs_with_the_threads_asked_for(run, monkeypatch, tmp_path):
    probe = tmp_path / "probe.py"
    probe.write_text(
        f"import os, json; json.dump(dict(os.environ), open({str(tmp_path / 'env.json')!r}, 'w'))\n"
    )
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nexec {sys.executable} {probe}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    call_child(run, Latency(threads=3), [])
    seen = json.loads((tmp_path / "env.json").read_text())
    assert seen["OMP_NUM_THREADS"] == seen["MKL_NUM_THREADS"] == "3"


def test_interrupting_kills_the_child(run, monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path / 'pid'}\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))

    def interrupt():
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        call_child(run, Latency(), [])
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_runtime_without_a_clock_is_timed_around_generate(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    class Words:
        def __call__(self, text, **_):
            return {"input_ids": text.split()}

        def decode(self, ids, **_):
            return " ".join(ids)

    class Slow:
        tokenizer = Words()

        def generate(self, prompts, new_tokens):
            made = min(new_tokens, 3)  # ends early, at three tokens
            now[0] += 0.05 * made
            return ["word " * made for _ in prompts]

    timer = latency_child.timer_of(
        Slow(), {"prompt_tokens": 5, "new_tokens": 9, "batch_size": 2, "concurrency": 1, "per_client": 4}
    )
    turn = timer()
    ((waited, prefill, decode),) = turn["requests"]
    assert (turn["joules"], waited) == (None, 0.0)
    assert prefill == pytest.approx(0.05)
    assert decode == pytest.approx(0.05 * 8)  # scaled to the eight tokens after the first
    assert latency_child.text_of_length(Words(), 5) == "the quick brown fox jumps"


def test_the_childs_memory_is_its_own_not_its_parents():
    import subprocess

    ballast = bytearray(600_000_000)
    code = "from ptx_latency.child import peak_memory; print(peak_memory())"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    ).stdout
    assert float(said) < 300e6 < len(ballast)


def turns_of(*blocks, seconds=None, joules=None):
    """Turns whose requests take so long, half of it to the first token."""
    return [
        {"requests": [(0.0, t / 2, t / 2) for t in block], "seconds": seconds or sum(block), "joules": joules}
        for block in blocks
    ]


def by_name(metrics):
    return {metric.name.removeprefix("latency/"): metric for metric in metrics}


def test_medians_come_with_order_statistics():
    found = by_name(timed(Latency(new_tokens=11), turns_of(*([float(value)] for value in range(1, 101)))))
    assert found["p99_seconds"].high == math.inf  # a hundred requests bound the p95 only
    median = found["request_seconds"]
    assert (median.value, median.low, median.high) == (50.5, 40.0, 61.0)
    assert found["decode_tokens_per_second"].unit == "tokens/s"
    assert found["decode_tokens_per_second"].better == "higher"
    p95 = found["p95_seconds"]
    assert p95.low < p95.value < p95.high < math.inf


def test_requests_of_one_turn_are_not_as_many_observations():
    blocks = [[1 + number / 10] * 8 for number in range(20)]  # all requests of a turn take alike
    together = by_name(timed(Latency(concurrency=4), turns_of(*blocks)))["request_seconds"]
    apart = by_name(timed(Latency(), turns_of(*([one] for block in blocks for one in block))))[
        "request_seconds"
    ]
    assert together.n == apart.n == 160
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
    assert by_name(timed(Latency(concurrency=4), turns_of(*blocks[:4])))["p99_seconds"].high == math.inf


def test_throughput_under_load_is_that_of_all_clients_together():
    config = Latency(new_tokens=10, concurrency=4, per_client=2)
    (turn,) = turns_of([2.0] * 8, seconds=4.0, joules=40.0)
    scores = scores_of(config, turn)
    assert scores["latency/throughput_tokens_per_second"] == 20.0
    assert scores["latency/joules_per_token"] == 0.5
    assert scores["latency/request_seconds"] == 2.0


PAUSE = 0.05


class Busy:
    """A runtime whose requests take a while, and that knows how many were under way at once; ``together``
    wait for each other.
    """

    def __init__(self, concurrent, together=1):
        self.concurrent, self.now, self.most, self.lock = concurrent, 0, 0, threading.Lock()
        self.others = threading.Barrier(together, timeout=60)

    def time_request(self, *_):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.others.wait()
        time.sleep(PAUSE)
        with self.lock:
            self.now -= 1
        return 0.01, 0.01


LOAD = {"prompt_tokens": 4, "new_tokens": 4, "batch_size": 1, "concurrency": 4, "per_client": 3}


def test_clients_use_a_runtime_at_once_where_it_allows_that():
    lm = Busy(concurrent=True, together=4)
    served, _ = turn_of(lm, lm.time_request, LOAD)
    assert len(served) == 12
    assert lm.most == 4


def test_clients_queue_before_a_runtime_that_answers_one_at_a_time_and_waiting_is_part_of_a_request():
    lm = Busy(concurrent=False)
    served, seconds = turn_of(lm, lm.time_request, LOAD)
    assert lm.most == 1
    assert seconds >= 12 * PAUSE
    assert len(served) == 12
    assert sum(waited >= 2 * PAUSE for waited, _, _ in served) >= 8  # behind three others
    assert all(first == pytest.approx(waited + 0.01) for waited, first, _ in served)


def test_an_engine_that_batches_as_requests_come_is_asked_itself():
    class Engine:
        def time_clients(self, *asked):
            self.asked = asked
            return [(0.5, 1.0)] * 12

    lm = Engine()
    served, _ = turn_of(lm, None, LOAD)
    assert lm.asked == (4, 4, 4, 3)
    assert served == [(0.0, 0.5, 1.0)] * 12


def test_an_error_of_a_client_ends_the_turn():
    def ask():
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        by_threads(ask, 3, 2, at_once=1)


@pytest.mark.slow
def test_load_is_measured_in_turns_with_the_baseline(run, chat_model):
    config = Latency(prompt_tokens=8, new_tokens=4, warmup=1, repeats=5, concurrency=3, per_client=2)
    evaluation = ptx_evaluate(run, config, ModelRef.of(chat_model), ModelRef.of(chat_model))
    found = by_name(evaluation.metrics)
    assert found["request_seconds"].n == 5 * 3 * 2
    assert found["throughput_tokens_per_second"].n == found["request_ratio"].n == len(evaluation.rows) == 5
    assert 0.2 < found["request_ratio"].value < 5  # the same model
    assert found["waiting_seconds"].value < found["request_seconds"].value
    assert all(len(row["requests"]) == 6 for row in evaluation.rows)


def test_several_prompts_in_a_request_and_several_clients_are_not_mixed():
    with pytest.raises(
        ValueError,
        match=r"are both above 1; a client sends one prompt at a time: try eval\.latency\.batch_size=1",
    ):
        Latency(batch_size=2, concurrency=2)


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


def test_energy_is_read_from_rapl_and_survives_a_counter_that_starts_again(tmp_path):
    assert Meter(powercap=tmp_path / "none").read() == []
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("10000000\n")
    (zone / "energy_uj").write_text("9000000\n")
    meter = Meter(powercap=tmp_path)
    before = meter.read()
    (zone / "energy_uj").write_text("9500000\n")
    assert meter.since(before) == pytest.approx(0.5)
    (zone / "energy_uj").write_text("1000000\n")
    assert meter.since(before) == pytest.approx(2.0)
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


def test_an_emulated_artifact_has_a_size_and_a_reason_but_no_time(run, chat_model, monkeypatch):
    def child(run, config, arguments):
        Path(arguments[1]).write_text(
            json.dumps({"emulated": "it is unpacked first", "beside_emulated": "", "load_seconds": 1.0})
        )

    monkeypatch.setattr("ptx_latency.evaluate.call_child", child)
    evaluation = ptx_evaluate(run, Latency(), ModelRef.of(chat_model))
    assert {metric.name.partition("/")[0] for metric in evaluation.metrics} == {"size"}
    assert (evaluation.rows[0]["status"], evaluation.rows[0]["reason"]) == (
        "emulated",
        "it is unpacked first",
    )
    assert any("it is unpacked first" in line for line in run.console.lines)


def test_the_child_times_nothing_of_an_emulated_model(monkeypatch, tmp_path):
    class Emulated:
        emulated = "unpacked"

        def time_request(self, *_):
            raise AssertionError

    monkeypatch.setattr(latency_child, "open_model", lambda spec, model: Emulated())
    (tmp_path / "spec.json").write_text(
        json.dumps({"model": {}, "device": "cpu", "beside": None, "decode": None, "warmup": 1, "repeats": 2})
    )
    latency_child.main(str(tmp_path / "spec.json"), str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text())["emulated"] == "unpacked"


@pytest.mark.parametrize("settings", [{"new_tokens": 1}, {"repeats": 1}, {"threads": 0}])
def test_a_setting_that_cannot_be_is_refused_with_the_fix(settings):
    with pytest.raises(
        ValueError, match=r"eval\.latency\.\w+ must be at least \d, got \d; try eval\.latency\.\w+=2"
    ):
        Latency(**settings)


def test_an_evaluator_of_another_plugin_is_left_alone(run):
    assert ptx_evaluate(run, object(), ModelRef(Path())) is None


def test_the_baseline_is_opened_on_its_own_runtime(make_run, tmp_path):
    from ptx_latency.evaluate import specification

    config = RunConfig(runtime=HF(dtype="float32"), baseline_runtime=HF(dtype="bfloat16"))
    spec = specification(make_run(config, [ptx_hf]), Latency(), ModelRef(tmp_path), ModelRef(tmp_path))
    assert (spec["runtime_config"]["dtype"], spec["beside"]["runtime_config"]["dtype"]) == (
        "float32",
        "bfloat16",
    )
    assert (spec["runtime"], spec["beside"]["runtime"]) == ("hf", "hf")


def test_the_child_opens_the_baseline_on_the_runtime_it_is_told(monkeypatch):
    opened = []

    class Host:
        choices = {
            ("runtime", name): type(
                "Choice", (), {"config_type": staticmethod(lambda name=name, **fields: (name, fields))}
            )
            for name in "ab"
        }

        def first(self, hook, runtime, model, device):
            opened.append(runtime)

    monkeypatch.setattr(latency_child, "get_host", Host)
    spec = {"runtime": "a", "runtime_config": {"x": 1}, "device": "cpu"}
    model = {"path": "m", "digest": "d", "kind": "full"}
    latency_child.open_model(spec, model)
    latency_child.open_model(spec, model | {"runtime": "b", "runtime_config": {"y": 2}})
    assert opened == [("a", {"x": 1}), ("b", {"y": 2})]
