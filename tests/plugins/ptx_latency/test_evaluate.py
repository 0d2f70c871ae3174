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
from ptx.testing import undeclared_metrics
from ptx_hf import HF
from ptx_latency import Latency
from ptx_latency.evaluate import call_child, evaluate

pytestmark = pytest.mark.usefixtures("warm")


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
    evaluation = evaluate(run, config, ModelRef.of(chat_model))
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
    evaluation = evaluate(run, config, ModelRef.of(chat_model), ModelRef.of(chat_model))
    ratio = next(metric for metric in evaluation.metrics if metric.name == "latency/request_ratio")
    assert 0.3 < ratio.value < 3  # the same model
    assert ratio.n == 8
    assert all(row["beside"].keys() == row["scores"].keys() for row in evaluation.rows)
    assert all(
        row["latency"] == pytest.approx(row["scores"]["latency/request_seconds"], abs=1e-6)
        for row in evaluation.rows
    )
    assert len({row["item"] for row in evaluation.rows}) == 8


def test_a_child_that_fails_is_an_error_with_the_end_of_its_stderr(run, chat_model, monkeypatch):
    monkeypatch.setattr(
        "ptx_latency.evaluate.specification",
        lambda *_: {"model": {}, "runtime": "nowhere", "runtime_config": {}},
    )
    with pytest.raises(StepError, match=r"exit code 1:\n(.|\n)*KeyError: \('runtime', 'nowhere'\)"):
        evaluate(run, Latency(), ModelRef.of(chat_model))


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


@pytest.mark.slow
def test_load_is_measured_in_turns_with_the_baseline(run, chat_model, by_name):
    config = Latency(prompt_tokens=8, new_tokens=4, warmup=1, repeats=5, concurrency=3, per_client=2)
    evaluation = evaluate(run, config, ModelRef.of(chat_model), ModelRef.of(chat_model))
    found = by_name(evaluation.metrics)
    assert found["request_seconds"].n == 5 * 3 * 2
    assert found["throughput_tokens_per_second"].n == found["request_ratio"].n == len(evaluation.rows) == 5
    assert 0.2 < found["request_ratio"].value < 5  # the same model
    assert found["waiting_seconds"].value < found["request_seconds"].value
    assert all(len(row["requests"]) == 6 for row in evaluation.rows)
    assert undeclared_metrics(Latency, evaluation.metrics) == []


def test_an_emulated_artifact_has_a_size_and_a_reason_but_no_time(run, chat_model, monkeypatch):
    def child(run, config, arguments):
        Path(arguments[1]).write_text(
            json.dumps({"emulated": "it is unpacked first", "beside_emulated": "", "load_seconds": 1.0})
        )

    monkeypatch.setattr("ptx_latency.evaluate.call_child", child)
    evaluation = evaluate(run, Latency(), ModelRef.of(chat_model))
    assert {metric.name.partition("/")[0] for metric in evaluation.metrics} == {"size"}
    assert (evaluation.rows[0]["status"], evaluation.rows[0]["reason"]) == (
        "emulated",
        "it is unpacked first",
    )
    assert any("it is unpacked first" in line for line in run.console.lines)


def test_the_baseline_is_opened_on_its_own_runtime(make_run, tmp_path):
    from ptx_latency.evaluate import specification

    config = RunConfig(runtime=HF(dtype="float32"), baseline_runtime=HF(dtype="bfloat16"))
    spec = specification(make_run(config, [ptx_hf]), Latency(), ModelRef(tmp_path), ModelRef(tmp_path))
    assert (spec["runtime_config"]["dtype"], spec["beside"]["runtime_config"]["dtype"]) == (
        "float32",
        "bfloat16",
    )
    assert (spec["runtime"], spec["beside"]["runtime"]) == ("hf", "hf")
