import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime_genai as og
import pytest

from ptx import ModelRef
from ptx.lm.serving.token_model import batches
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf
from ptx_onnx import Onnx, ptx_load
from ptx_onnx.model import OnnxLanguageModel, _config

PROMPTS = [
    "Once upon a time",
    "The",
    "Lily and Tom went to the park because they wanted to",
    "a b c d e f g",
    "Once upon a tide",
]


@pytest.fixture(scope="module")
def lm(fp32_package):
    return ptx_load(Onnx(), ModelRef.of(fp32_package, "package"))


@pytest.fixture(scope="module")
def hf(chat_model):
    return open_hf(HF(), ModelRef.of(chat_model), "cpu")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_it_says_what_transformers_says_with_the_same_seed(lm, hf, temperature):
    said = lm.generate(PROMPTS, 20, temperature=temperature, seed=7)
    assert said == hf.generate(PROMPTS, 20, temperature=temperature, seed=7)
    assert len(set(said)) > 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_prompt_gets_the_same_whatever_its_batch(lm, fp32_package, temperature):
    alone = OnnxLanguageModel(fp32_package, batch_size=1)
    assert lm.generate(PROMPTS, 20, temperature=temperature, seed=3) == alone.generate(
        PROMPTS, 20, temperature=temperature, seed=3
    )


def test_several_threads_are_answered_as_one_is(lm):
    """What ``concurrent`` promises to eval.latency.concurrency."""
    assert lm.concurrent
    alone = [lm.generate([prompt], 20) for prompt in PROMPTS]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(lambda prompt: lm.generate([prompt], 20), PROMPTS)) == alone


def test_a_batch_padded_on_the_left_is_wrong_so_only_equal_lengths_are_batched(lm, fp32_package):
    """The trap: onnxruntime-genai 0.18 takes the padding of a mixed batch for text."""
    long, short = [5, 6, 7, 8, 9, 10], [11, 12, 13]
    params = og.GeneratorParams(lm.model)
    params.set_search_options(max_length=20, batch_size=2)
    naive = og.Generator(lm.model, params)
    naive.append_tokens(np.array([long, [0, 0, 0, *short]], dtype=np.int32))
    padded = naive.get_output("logits")[1, 3:]
    (right,) = lm.logits([short])
    assert np.abs(padded - right).max() > 0.1
    assert sorted(map(sorted, batches([long, short, long, [], short], 8))) == [[0, 2], [1, 4]]


@pytest.mark.parametrize("places", [[39], [37, 38, 39], [0, 20, 39], range(40)])
def test_the_token_that_pads_is_text_where_it_stands_in_a_text(lm, hf, places):
    """The trap: in a batch the library takes such tokens at the end of a row for padding."""
    pad = lm.tokenizer.pad_token_id
    other = list(range(50, 90))
    row = [pad if place in places else token for place, token in enumerate(other)]
    read, expected = lm.prefill([row, other]), [next(iter(hf.logits([one]))) for one in (row, other)]
    np.testing.assert_allclose(read, expected, atol=1e-4)


def test_log_likelihoods_are_those_of_transformers(lm, hf):
    pairs = [(prompt, " and then") for prompt in PROMPTS] + [
        ("", "Once"),
        ("ends with a space ", "word"),
        ("nothing", ""),
    ]
    greedy = hf.generate(PROMPTS[:1], 3)[0]
    pairs.append((PROMPTS[0], greedy))
    for (score, same), (expected, wanted) in zip(
        lm.loglikelihood(pairs), hf.loglikelihood(pairs), strict=True
    ):
        assert score == pytest.approx(expected, abs=1e-4)
        assert same is wanted


def test_logits_are_those_of_transformers_row_by_row(lm, hf):
    rows = [[1, 50, 60, 70], [1, 90]]
    for found, expected in zip(lm.logits(rows), hf.logits(rows), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_reply_ends_before_the_stop_string(lm):
    whole = lm.generate(PROMPTS, 20)
    stop = next(
        text[place]
        for text in whole
        for place in range(2, len(text))
        if text[place].isascii() and text[place].isalnum()
    )
    cut = lm.generate(PROMPTS, 20, stop=[stop])
    assert cut == [text.partition(stop)[0] for text in whole]
    assert cut != whole


def test_what_is_too_long_for_the_model_loses_its_beginning(lm, hf):
    long = "word " * 200
    assert lm.max_length == hf.max_length == 256
    assert lm.generate([long], 4) == hf.generate([long], 4)
    assert lm.loglikelihood([(long, " end")])[0][0] == pytest.approx(
        hf.loglikelihood([(long, " end")])[0][0], abs=1e-3
    )


def test_a_timed_request_makes_every_token_it_was_asked_for(lm, monkeypatch):
    made = []
    original = lm._generator

    def counted(*arguments, **options):
        made.append(original(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(lm, "_generator", counted)
    prefill, decode = lm.time_request(8, 5, batch_size=2)
    assert math.isfinite(prefill)
    assert prefill > 0
    assert decode > 0
    assert made[0].token_count() == 13
    assert lm.emulated == ""


def test_the_number_of_threads_is_that_of_the_environment(fp32_package, monkeypatch):
    told = []
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(
        "ptx_onnx.model.og.Config",
        lambda folder: type("Config", (), {"overlay": lambda self, text: told.append(json.loads(text))})(),
    )
    _config(fp32_package)
    assert told[-1]["model"]["decoder"]["session_options"]["intra_op_num_threads"] == 3
