import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import ptx_tiny
from ptx import ModelRef
from ptx_hf import HF, ptx_load
from ptx_hf.model import rotates_by_length
from tests.architectures import build

PROMPTS = ["Once upon a time", "The", "Lily and Tom went to the park because they wanted to", "a b c d e f g"]


@pytest.fixture(scope="module")
def open_model(chat_model):
    opened = {}

    def go(batch_size):
        if batch_size not in opened:
            opened[batch_size] = ptx_load(HF(batch_size=batch_size), ModelRef.of(chat_model), "cpu")
        return opened[batch_size]

    return go


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_batch_generates_what_its_prompts_generate_one_by_one(open_model, temperature):
    together = open_model(4).generate(PROMPTS, 20, temperature=temperature, seed=7)
    assert together == open_model(1).generate(PROMPTS, 20, temperature=temperature, seed=7)


def test_greedy_generation_is_that_of_transformers(open_model, chat_model):
    lm = open_model(4)
    ids = lm.tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]
    model = AutoModelForCausalLM.from_pretrained(chat_model)
    expected = model.generate(ids, max_new_tokens=20, do_sample=False, pad_token_id=0)[0, ids.shape[1] :]
    assert lm.generate(PROMPTS[:1], 20) == [lm.tokenizer.decode(expected, skip_special_tokens=True)]


@pytest.mark.parametrize("name", ["rwkv", "minimax"])
def test_a_model_that_reads_padding_as_text_answers_in_a_batch_what_it_answers_alone(tmp_path, name):
    lm = ptx_load(HF(batch_size=4), ModelRef.of(build(name, tmp_path / name)), "cpu")
    assert not lm.continues
    for temperature in (0.0, 1.0):
        together = lm.generate(PROMPTS, 8, temperature=temperature, seed=7)
        for place, prompt in enumerate(PROMPTS):
            alone = [*[""] * place, prompt]  # the seed of a prompt depends on its place
            assert lm.generate(alone, 8, temperature=temperature, seed=7)[place] == together[place]


@pytest.mark.parametrize("name", ["llama", "gemma2"])  # one is continued, the other is not
def test_no_setting_of_generation_config_json_reaches_what_is_measured(tmp_path, name):
    folder = build(name, tmp_path / name)
    plain = ptx_load(HF(), ModelRef.of(folder), "cpu").generate(PROMPTS, 8)
    held = json.loads((folder / "generation_config.json").read_text())
    held |= {"suppress_tokens": list(range(3, 700)), "stop_strings": ["a"], "min_length": 90}
    (folder / "generation_config.json").write_text(json.dumps(held))
    assert ptx_load(HF(), ModelRef.of(folder), "cpu").generate(PROMPTS, 8) == plain


def test_a_context_under_another_name_is_the_longest_text(tmp_path):
    lm = ptx_load(HF(), ModelRef.of(build("mpt", tmp_path / "mpt")), "cpu")
    assert lm.max_length == 512
    assert math.isfinite(lm.loglikelihood([("word " * 2000, "end")])[0][0])


def test_a_batch_scores_what_its_pairs_score_one_by_one(open_model):
    pairs = [(prompt, " and then") for prompt in PROMPTS] + [
        ("", "Once"),
        ("ends with a space ", "word"),
        ("nothing", ""),
    ]
    together, alone = open_model(4).loglikelihood(pairs), open_model(1).loglikelihood(pairs)
    for (score, greedy), (other, same) in zip(together, alone, strict=True):
        assert score == pytest.approx(other, abs=1e-4)
        assert greedy is same
    assert together[-1] == (0.0, True)


def test_a_log_likelihood_is_the_sum_of_the_models_log_probabilities(open_model, chat_model):
    lm = open_model(4)
    context, continuation = "The cat", " sat"
    ids = torch.tensor([lm.tokenizer(context + continuation)["input_ids"]])
    start = len(lm.tokenizer(context)["input_ids"])
    with torch.no_grad():
        logs = torch.log_softmax(AutoModelForCausalLM.from_pretrained(chat_model)(ids).logits[0], -1)
    expected = sum(float(logs[place - 1, ids[0, place]]) for place in range(start, ids.shape[1]))
    assert lm.loglikelihood([(context, continuation)])[0][0] == pytest.approx(expected, abs=1e-4)


def test_the_greedy_continuation_is_recognised():
    lm = ptx_load(HF(), ModelRef.of(Path(ptx_tiny.__file__).parent / "model"), "cpu")
    prompt = "<|bos|><|user|>What is 12 + 7?<|end|><|assistant|>"
    reply = lm.generate([prompt], 8)[0]
    (likely, first), (unlikely, second) = lm.loglikelihood(
        [(prompt, reply), (prompt, "Nothing of the kind.")]
    )
    assert (first, second) == (True, False)
    assert unlikely < likely < 0


def test_a_reply_ends_before_the_stop_string(open_model):
    lm = open_model(4)
    whole = lm.generate(PROMPTS, 20)
    cut = lm.generate(PROMPTS, 20, stop=[whole[0][4:6]])
    assert cut[0] == whole[0][: whole[0].index(whole[0][4:6])]


def test_another_seed_gives_another_sample_and_the_same_seed_the_same(open_model):
    lm = open_model(4)
    first, second, third = (lm.generate(PROMPTS, 20, temperature=1.0, seed=seed) for seed in (1, 1, 2))
    assert first == second != third


def test_a_prompt_too_long_for_the_model_loses_its_beginning(open_model):
    lm = open_model(4)
    assert lm.max_length == 256
    long = "word " * 200
    assert len(lm.generate([long], 4)) == 1
    assert math.isfinite(lm.loglikelihood([(long, " end")])[0][0])


def test_logits_give_the_log_probabilities_of_loglikelihood(open_model):
    lm = open_model(4)
    context, continuation = (
        lm.tokenizer("3 + 4")["input_ids"],
        lm.tokenizer(" = 7", add_special_tokens=False)["input_ids"],
    )
    (scores,) = lm.logits([context + continuation])
    shifted = scores - scores.max(axis=-1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    places = range(len(context) - 1, len(context) + len(continuation) - 1)
    expected = sum(log_probs[place, token] for place, token in zip(places, continuation, strict=True))
    assert scores.dtype == np.float32
    assert lm.loglikelihood([("3 + 4", " = 7")])[0][0] == pytest.approx(expected, abs=1e-4)


def test_with_the_prefix_cache_a_log_likelihood_is_the_same_within_rounding(open_model, chat_model):
    pairs = [(f"3 + {digit} =", f" {answer}") for digit in range(10) for answer in ("7", "12", "no idea")] + [
        ("Hi", "")
    ]
    plain, shared = (
        ptx_load(HF(batch_size=4, prefix_cache=False), ModelRef.of(chat_model), "cpu"),
        open_model(4),
    )
    for (score, greedy), (other, same) in zip(
        plain.loglikelihood(pairs), shared.loglikelihood(pairs), strict=True
    ):
        assert other == pytest.approx(score, abs=1e-4)
        assert same == greedy


def test_a_dense_model_is_what_it_seems(open_model):
    assert open_model(4).emulated == ""


def test_a_timed_request_makes_every_token_it_was_asked_for(open_model, monkeypatch):
    lm = open_model(4)
    lengths = []
    original = lm._run

    def watched(*arguments, **options):
        made = original(*arguments, **options)
        lengths.append(made.shape)
        return made

    monkeypatch.setattr(lm, "_run", watched)
    prefill, decode = lm.time_request(16, 8, batch_size=2)
    assert lengths == [(2, 24)]
    assert prefill > 0
    assert decode > 0


def test_several_threads_are_answered_as_one_is(open_model):
    """What ``concurrent`` promises to eval.latency.concurrency."""
    lm = open_model(1)
    assert lm.concurrent
    alone = [lm.generate([prompt], 12) for prompt in PROMPTS]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(lambda prompt: lm.generate([prompt], 12), PROMPTS)) == alone


@pytest.mark.parametrize(
    ("rope", "expected"),
    [({"rope_type": "dynamic", "factor": 2.0}, True), ({"rope_type": "default"}, False), (None, False)],
)
def test_positions_that_change_with_the_text_are_state_that_threads_would_share(rope, expected):
    assert rotates_by_length(SimpleNamespace(rope_parameters=rope)) is expected


def test_rows_are_read_together_and_their_scores_are_those_of_each_row_alone(open_model):
    rows = [[1 + (7 * place) % 90 for place in range(length)] for length in (40, 37, 20, 9, 1)]
    together, alone = open_model(8), open_model(1)
    passes = []
    together.model.register_forward_pre_hook(lambda *_: passes.append(1))
    for found, expected in zip(together.logits(rows), alone.logits(rows), strict=True):
        assert found.shape == expected.shape
        assert abs(found - expected).max() < 1e-4
    assert len(passes) == 1
