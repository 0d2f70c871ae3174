"""vLLM's server as a client sees it: a stand-in that answers over HTTP, and, where it is installed
(PTX_TEST_VLLM=its Python), vLLM itself.
"""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import ptx_vllm
from ptx import ModelRef, Outside, RunConfig, StepError
from ptx.lm.load import load_model, load_tokenizer, save_adapter
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_vllm import Vllm, ptx_load

PAIRS = [("The cat", " sat"), ("", "Once"), ("nothing", ""), ("Once upon a", " time")]
REAL = os.environ.get("PTX_TEST_VLLM", "")

#: what ``vllm serve`` would be, for those parts of its API that are used here: greedy answers of the hf
#: runtime
COMMAND = """
import argparse, json, pathlib, sys
import torch, uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from ptx import ModelRef
from ptx_hf import HF, ptx_load

def main():
    parser = argparse.ArgumentParser()
    for name in ("command", "model", "--uds", "--served-model-name"):
        parser.add_argument(name)
    parser.add_argument("--lora-modules", nargs="*", default=[])
    given, rest = parser.parse_known_args()
    pathlib.Path(given.uds).with_name("asked.json").write_text(json.dumps(rest))
    if "--dtype=float16" in rest:
        raise SystemExit("no such dtype on this device")
    names = [given.served_model_name, *(one.partition("=")[0] for one in given.lora_modules)]
    lm, app = ptx_load(HF(), ModelRef.of(pathlib.Path(given.model)), "cpu"), FastAPI()

    @app.get("/health")
    def health():
        return {}

    @app.get("/v1/models")
    def models():
        return {"data": [{"id": given.served_model_name, "max_model_len": 128}]}

    @app.post("/v1/completions")
    async def completions(request: Request):
        body = await request.json()
        with open(pathlib.Path(given.uds).with_name("bodies.jsonl"), "a") as file:
            file.write(json.dumps(body) + chr(10))
        if body["model"] not in names:
            return JSONResponse({"error": {"message": "no such model: " + body["model"]}}, 404)
        ids = body["prompt"]
        if body.get("stream"):
            lines = ["data: " + json.dumps({"choices": [{"text": "x"}]}) + chr(10) * 2] * body["max_tokens"]
            return StreamingResponse(iter([*lines, "data: [DONE]" + chr(10) * 2]), media_type="text/event-stream")
        (scores,) = lm.logits([ids])
        logs = torch.log_softmax(torch.from_numpy(scores), -1)
        ranks = (-logs).argsort(-1).argsort(-1) + 1
        entry = lambda place: {t: {"logprob": float(logs[place, t]), "rank": int(ranks[place, t])} for t in range(logs.shape[1])}
        told = [None, *(entry(place) for place in range(len(ids) - 1))] if body.get("prompt_logprobs") else None
        return {"choices": [{"text": lm.tokenizer.decode(int(logs[-1].argmax())), "prompt_logprobs": told}]}

    uvicorn.run(app, uds=given.uds, log_level="warning")
"""
SCRIPT = """
import runpy, sys
sys.path.insert(0, {packages!r})
runpy.run_path({serve!r}, run_name="__main__")
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """The plugin's own serve.py, with a stand-in for vllm."""
    package = tmp_path / "packages" / "vllm" / "entrypoints" / "cli"
    package.mkdir(parents=True)
    (package / "main.py").write_text(COMMAND)
    script = tmp_path / "stand_in.py"
    script.write_text(
        SCRIPT.format(
            packages=str(tmp_path / "packages"), serve=str(Path(ptx_vllm.__file__).with_name("serve.py"))
        )
    )
    monkeypatch.setattr(Vllm, "served", lambda self: Outside(script, sys.executable))


@contextmanager
def opened(runtime, model):
    lm = ptx_load(runtime, model)
    try:
        yield lm
    finally:
        lm.close()


def bodies(lm):
    return [json.loads(line) for line in (lm.process.folder / "bodies.jsonl").read_text().splitlines()]


def test_a_server_is_started_asked_and_ended(stand_in, chat_model):
    hf = open_hf(HF(), ModelRef.of(chat_model), "cpu")
    with opened(
        Vllm(dtype="float32", args={"enforce_eager": True, "kv_transfer_config": {"a": 1}}),
        ModelRef.of(chat_model),
    ) as lm:
        asked = json.loads((lm.process.folder / "asked.json").read_text())
        assert {
            "--dtype=float32",
            "--max-logprobs=-1",
            "--no-trust-remote-code",
            "--enforce-eager",
            '--kv-transfer-config={"a": 1}',
        } <= set(asked)
        for (score, same), (expected, wanted) in zip(
            lm.loglikelihood(PAIRS), hf.loglikelihood(PAIRS), strict=True
        ):
            assert score == pytest.approx(expected, abs=1e-4)
            assert same is wanted
        (found,), (expected,) = list(lm.logits([[1, 50, 60]])), list(hf.logits([[1, 50, 60]]))
        np.testing.assert_allclose(found, torch.log_softmax(torch.from_numpy(expected), -1), atol=1e-5)
        assert lm.max_length == 128 - 2
        assert lm.peak_memory() > 5e7
        process = lm.process
    assert process.popen.returncode is not None
    assert not process.folder.exists()


def test_every_prompt_is_a_request_with_its_own_seed_and_a_timed_one_is_streamed_to_its_end(
    stand_in, chat_model
):
    with opened(Vllm(), ModelRef.of(chat_model)) as lm:
        assert len(lm.generate(["a", "b", ""], 4, temperature=0.7, seed=3, stop=["x"])) == 3
        sampled = bodies(lm)
        assert len({body["seed"] for body in sampled}) == 3
        assert {(body["temperature"], *body["stop"], body["max_tokens"]) for body in sampled} == {
            (0.7, "x", 4)
        }
        assert all(body["prompt"] for body in sampled)
        for size in (1, 3):
            first, rest = lm.time_request(8, 5, batch_size=size)
            assert first > 0
            assert rest > 0
        timed = bodies(lm)[len(sampled) :]
        assert {
            (body["max_tokens"], body["min_tokens"], body["ignore_eos"], body["stream"]) for body in timed
        } == {(5, 5, True, True)}
        assert len({tuple(body["prompt"]) for body in timed}) == 4  # no prefix is met twice
        with ThreadPoolExecutor(4) as pool:
            assert all(first > 0 for first, _ in pool.map(lambda _: lm.time_request(8, 5), range(8)))


def test_adapters_are_served_by_name_on_their_base(stand_in, chat_model, tmp_path):
    from peft import LoraConfig, get_peft_model

    network = get_peft_model(load_model(chat_model), LoraConfig(r=2, target_modules="all-linear"))
    save_adapter(network, load_tokenizer(chat_model), tmp_path / "mine", ModelRef.of(chat_model))
    with opened(Vllm(), ModelRef.of(tmp_path / "mine", "adapter")) as lm:
        assert {"--enable-lora", "--max-loras=1"} <= set(
            json.loads((lm.process.folder / "asked.json").read_text())
        )
        lm.generate(["a"], 1)
        assert bodies(lm)[0]["model"] == "run"
        lm.name = "other"
        with pytest.raises(StepError, match=r"refuses \(HTTP 404\).*no such model: other"):
            lm.generate(["a"], 1)


def test_a_server_that_ends_before_it_answers_is_told_with_its_last_words(stand_in, chat_model):
    with pytest.raises(
        StepError, match=r"vLLM's server ended with exit code 1: no such dtype on this device"
    ):
        ptx_load(Vllm(dtype="float16"), ModelRef.of(chat_model))


ORPHAN = """
import pathlib, sys, time
from ptx import ModelRef, Outside
from ptx_vllm import Vllm, ptx_load
Vllm.served = lambda self: Outside(pathlib.Path({script!r}), sys.executable)
lm = ptx_load(Vllm(), ModelRef.of(pathlib.Path({model!r})))
print(lm.process.popen.pid, lm.process.folder, flush=True)
time.sleep(600)
"""


def test_a_server_ends_when_who_asked_for_it_is_killed(stand_in, chat_model, tmp_path):
    code = ORPHAN.format(script=str(tmp_path / "stand_in.py"), model=str(chat_model))
    client = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    server, folder = client.stdout.readline().split()
    client.send_signal(signal.SIGKILL)
    client.wait()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and _lives(int(server)):
        time.sleep(0.1)
    assert not _lives(int(server))
    assert not Path(folder).exists()


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_the_environment_of_the_server_is_in_the_key_of_what_is_measured(tmp_path):
    from ptx.hooks.host import get_host
    from ptx.plan.keys import Ingredients

    runtime = Vllm(python=sys.executable)
    found = Ingredients(get_host(), RunConfig(runtime=runtime), "cpu").of("load", runtime)
    assert found["served"]["distributions"]["torch"]
    assert "served" not in Ingredients(get_host(), RunConfig(runtime=HF()), "cpu").of("load", HF())


def test_the_content_of_the_adapter_that_answers_is_in_the_key_of_what_is_measured(tmp_path):
    from ptx.hooks.host import get_host
    from ptx.plan.keys import Ingredients

    def key(**settings):
        runtime = Vllm(
            engine="offline", adapters={"a": str(tmp_path / "a"), "b": str(tmp_path / "b")}, **settings
        )
        return Ingredients(get_host(), RunConfig(runtime=runtime), "cpu").of("load", runtime)

    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text("{}")
    before = key(adapter="a"), key()
    (tmp_path / "a" / "adapter_config.json").write_text('{"r": 2}')
    assert key(adapter="a") != before[0]
    assert key() == before[1]


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="PTX_TEST_VLLM does not name a Python with vllm")
def test_vllm_itself_says_what_transformers_says(tiny_model, monkeypatch):
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    model = ModelRef.of(tiny_model)
    hf = open_hf(HF(dtype="float32"), model, "cpu")
    texts = [
        "<|bos|><|user|>What is 12 + 7?<|end|><|assistant|>",
        "<|bos|>The",
        "<|bos|><|user|>Sort these letters: d a c<|end|><|assistant|>",
    ]
    with opened(Vllm(dtype="float32", python=REAL, gpu_memory_utilization=0.1), model) as lm:
        assert lm.generate(texts, 12) == hf.generate(texts, 12)
        for (score, same), (expected, wanted) in zip(
            lm.loglikelihood(PAIRS), hf.loglikelihood(PAIRS), strict=True
        ):
            assert score == pytest.approx(expected, abs=1e-3)
            assert same is wanted
        (found,), (expected,) = list(lm.logits([[1, 50, 60]])), list(hf.logits([[1, 50, 60]]))
        np.testing.assert_allclose(found, torch.log_softmax(torch.from_numpy(expected), -1), atol=1e-3)
        first, rest = lm.time_request(16, 8)
        assert 0 < first < rest + first
