import numpy as np
import pytest
import torch

from ptx import ModelRef
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_vllm import Vllm, ptx_load
from ptx_vllm.model import arguments, chosen

OFFLINE = Vllm(engine="offline")


def test_log_likelihoods_and_logits_are_read_where_vllm_puts_them(vllm, chat_model):
    lm, hf = ptx_load(OFFLINE, ModelRef.of(chat_model)), open_hf(HF(), ModelRef.of(chat_model), "cpu")
    pairs = [("The cat", " sat"), ("", "Once"), ("nothing", "")]
    for (score, same), (expected, wanted) in zip(
        lm.loglikelihood(pairs), hf.loglikelihood(pairs), strict=True
    ):
        assert score == pytest.approx(expected, abs=1e-4)
        assert same is wanted
    (found,), (expected,) = list(lm.logits([[1, 50, 60]])), list(hf.logits([[1, 50, 60]]))
    np.testing.assert_allclose(found, torch.log_softmax(torch.from_numpy(expected), -1), atol=1e-5)


def test_every_prompt_samples_with_its_own_seed_and_greedy_with_none(vllm, chat_model):
    lm = ptx_load(OFFLINE, ModelRef.of(chat_model))
    lm.generate(["a", "b"], 4, temperature=0.7, seed=3, stop=["x"])
    lm.generate(["a"], 4)
    (first, _), (second, _), (greedy, _) = lm.engine.asked
    assert first.seed != second.seed
    assert (first.temperature, first.stop, first.max_tokens) == (0.7, ["x"], 4)
    assert (greedy.temperature, greedy.seed) == (0.0, None)


def test_an_adapter_is_named_by_the_setting_else_it_is_the_runs_own(chat_model, tmp_path):
    adapters = {"run": tmp_path / "run", "other": tmp_path / "other"}
    assert chosen(Vllm(), adapters) == "run"
    assert chosen(Vllm(adapters={"other": "x"}, adapter="other"), adapters) == "other"
    assert chosen(Vllm(adapters={"other": "x"}), {"other": tmp_path}) == "", "the base answers"


def test_the_engine_gets_the_settings_and_never_code_of_the_model_folder(chat_model):
    given = arguments(Vllm(max_model_len=64, args={"seed": 3}), ModelRef.of(chat_model), {})
    assert given["model"] == str(chat_model.resolve())
    assert (given["trust_remote_code"], given["max_model_len"], given["seed"]) == (False, 64, 3)
    assert "enable_lora" not in given
    served = arguments(Vllm(), ModelRef.of(chat_model), {"a": chat_model, "b": chat_model})
    assert (served["enable_lora"], served["max_loras"], served["max_lora_rank"]) == (True, 2, 64)
    assert "max_model_len" not in served


def test_rows_of_timed_requests_never_repeat(vllm, chat_model):
    lm = ptx_load(OFFLINE, ModelRef.of(chat_model))
    rows = [tuple(row) for row in (*lm.random(20, 8), *lm.random(20, 8))]
    assert len(set(rows)) == 40
    assert {len(row) for row in rows} == {8}
