import json
import os
import sys
import time

import pytest

from ptx_latency import child as latency_child


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
