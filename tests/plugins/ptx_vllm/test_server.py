"""vLLM's server as a client sees it.

A stand-in answers over HTTP; where vLLM is installed (PTX_TEST_VLLM=its Python), vLLM itself does.
"""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from ptx import ModelRef, StepError
from ptx.lm.load import load_model, load_tokenizer, save_adapter, save_model
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_vllm import Vllm, ptx_load

PAIRS = [("The cat", " sat"), ("", "Once"), ("nothing", ""), ("Once upon a", " time")]
REAL = os.environ.get("PTX_TEST_VLLM", "")


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
    warm, stand_in, chat_model
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


def test_adapters_are_served_by_name_on_their_base(warm, stand_in, chat_model, tmp_path):
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


def test_a_server_that_ends_before_it_answers_is_told_with_its_last_words(warm, stand_in, chat_model):
    with pytest.raises(
        StepError, match=r"vLLM's server ended with exit code 1: no such dtype on this device"
    ):
        ptx_load(Vllm(dtype="float16"), ModelRef.of(chat_model))


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


def renewals(lm):
    return [json.loads(line) for line in (lm.process.folder / "renewals.jsonl").read_text().splitlines()]


def test_a_server_samples_with_log_probabilities_and_takes_new_weights(warm, stand_in, chat_model, tmp_path):
    folder = tmp_path / "policy"
    shutil.copytree(chat_model, folder)
    rows = [[1, 50, 60], [1, 50, 60], [1, 70]]
    with opened(Vllm(dtype="float32").for_rollouts(), ModelRef.of(folder)) as lm:
        asked = json.loads((lm.process.folder / "asked.json").read_text())
        assert {"--logprobs-mode=processed_logprobs", "--gpu-memory-utilization=0.3"} <= set(asked)
        first = lm.sampled(rows, 5, 0.7, seed=3)
        assert lm.sampled(rows, 5, 0.7, seed=3) == first
        assert first[0] != first[1], "equal prompts of a group get answers of their own"
        model = load_model(ModelRef.of(folder), "float32", "cpu")
        for row, (ids, log_probs) in zip(rows, first, strict=True):
            scores = model(torch.tensor([[*row, *ids]])).logits[0, len(row) - 1 : -1] / 0.7
            expected = torch.log_softmax(scores, -1).gather(1, torch.tensor(ids)[:, None])[:, 0]
            assert log_probs == pytest.approx(expected.tolist(), abs=1e-4)
        with torch.no_grad():
            model.get_input_embeddings().weight.mul_(-2.0)
        save_model(model, load_tokenizer(folder), folder)
        lm.renew(folder)
        assert lm.sampled(rows, 5, 0.7, seed=3) != first
        assert renewals(lm) == [
            ["/collective_rpc", {"method": "reload_weights"}],
            ["/reset_prefix_cache", {}],
        ]


def test_a_new_adapter_gets_a_new_name_and_the_one_before_goes(warm, stand_in, chat_model, tmp_path):
    adapter = tmp_path / "adapter"
    made = get_peft_model(
        load_model(ModelRef.of(chat_model), "float32", "cpu"), LoraConfig(r=2, task_type="CAUSAL_LM")
    )
    save_adapter(made, load_tokenizer(chat_model), adapter, ModelRef.of(chat_model))
    with opened(Vllm(dtype="float32").for_rollouts(), ModelRef.of(adapter, "adapter")) as lm:
        lm.renew(adapter)
        lm.renew(adapter)
        assert len(lm.sampled([[1, 50]], 2, 1.0, seed=0)[0][0]) == 2
        assert bodies(lm)[-1]["model"] == "run-2"
        assert [body for path, body in renewals(lm) if "unload" in path] == [
            {"lora_name": "run"},
            {"lora_name": "run-1"},
        ]
        with pytest.raises(StepError, match="no adapter there"):
            lm.renew(tmp_path)
