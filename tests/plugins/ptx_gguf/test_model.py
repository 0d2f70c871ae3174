"""A file on llama.cpp against its model on transformers.

llama.cpp keeps its cache in 16 bits: scores are equal to about 1e-2.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ptx import ModelRef, StepError
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.serving.fidelity import compare, compare_drawn, logits_of, openings, own_text
from ptx_gguf import Gguf, ptx_load
from ptx_gguf.model import GgufLanguageModel, PartOfCharacterError
from ptx_hf import HF
from ptx_hf import ptx_load as open_hf

PROMPTS = ["Once upon a time", "The", "Lily and Tom went to the park because they wanted to"]
NEAR = 0.02


@pytest.fixture(scope="module")
def lm(f32_package):
    opened = ptx_load(Gguf(), ModelRef.of(f32_package, "package"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def stepwise(f32_package):
    opened = ptx_load(Gguf(scoring="stepwise"), ModelRef.of(f32_package, "package"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def hf(chat_model):
    return open_hf(HF(), ModelRef.of(chat_model), "cpu")


@pytest.mark.parametrize("how", ["lm", "stepwise"])
def test_log_likelihoods_are_those_of_transformers(how, hf, request):
    lm = request.getfixturevalue(how)
    pairs = [(prompt, " and") for prompt in PROMPTS] + [
        ("", "Once"),
        ("ends with a space ", "word"),
        ("nothing", ""),
        ("Gr", "üße, 你好"),
    ]
    greedy = hf.generate(PROMPTS[:1], 3)[0]
    pairs.append((PROMPTS[0], greedy))
    for (score, same), (expected, wanted) in zip(
        lm.loglikelihood(pairs), hf.loglikelihood(pairs), strict=True
    ):
        assert score == pytest.approx(expected, abs=NEAR)
        assert same is wanted


def test_the_server_tells_nothing_of_a_part_of_a_character_and_all_the_same_it_is_scored(stepwise):
    """The trap: of a token that is no whole character it gives no log-probability."""
    part, *_ = stepwise.tokenizer("ü")["input_ids"]
    row = stepwise.tokenizer("Gr")["input_ids"]
    with pytest.raises(PartOfCharacterError):
        stepwise._ask(row, False, part, 1)
    ((score, likeliest),) = stepwise.scored([row], [[part]])[0]
    everything = stepwise.prefill([row])[0, -1]
    assert score == pytest.approx(everything[part], abs=1e-5)
    assert likeliest == everything.argmax()


@pytest.mark.parametrize("how", ["lm", "stepwise"])
def test_scores_of_all_tokens_are_those_of_transformers(how, hf, request):
    lm = request.getfixturevalue(how)
    row = [1, 50, 60, 70]
    (found,), (expected,) = lm.logits([row]), hf.logits([row])
    assert found.shape == expected.shape
    shifted = expected - np.log(np.exp(expected.astype(float)).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(found, shifted, atol=NEAR)


def test_it_says_what_transformers_says_and_draws_with_the_same_noise(lm, hf):
    assert lm.generate(PROMPTS, 8) == hf.generate(PROMPTS, 8)
    said = lm.generate(PROMPTS, 4, temperature=1.0, seed=7)
    assert said == hf.generate(PROMPTS, 4, temperature=1.0, seed=7)
    assert len(set(said)) > 1


def test_an_answer_does_not_depend_on_what_was_asked_before(lm):
    """The server reuses the texts it answered; their scores differ a little from those of a first reading."""
    first = lm.loglikelihood([(PROMPTS[0], " and")])
    lm.loglikelihood([("Once upon a tide", " and"), (PROMPTS[0] + " there", " was")])
    assert lm.loglikelihood([(PROMPTS[0], " and")]) == first


def test_what_is_longer_than_the_context_loses_its_beginning(f32_package, lm, hf):
    assert lm.max_length == hf.max_length == 256
    short = GgufLanguageModel(f32_package, context=32)
    assert short.max_length == 32
    assert short.generate(["word " * 200], 4) == short.generate([("word " * 200)[-28:]], 4)
    short.close()


def test_a_timed_request_makes_every_token_and_several_share_the_slots(f32_package):
    opened = GgufLanguageModel(f32_package, context=64, slots=2)
    for batch in (1, 2, 3):
        prefill, decode = opened.time_request(8, 5, batch_size=batch)
        assert math.isfinite(prefill)
        assert prefill > 0
        assert decode > 0
    assert opened.concurrent
    with ThreadPoolExecutor(3) as pool:
        assert all(first > 0 for first, _ in pool.map(lambda _: opened.time_request(8, 5), range(6)))
    with pytest.raises(StepError, match="exceeds the available context size"):
        opened.time_request(400, 5)
    opened.close()


def test_the_divergence_from_drawn_tokens_is_that_of_whole_vocabularies(lm, chat_model):
    network, tokenizer = load_model(chat_model), load_tokenizer(chat_model)
    rows, ask = own_text(network, tokenizer, 0, rows=4, tokens=8), logits_of(network)
    whole, drawn = compare(ask, lm, rows), compare_drawn(ask, lm, rows, openings(tokenizer))
    assert drawn.kl.value == pytest.approx(whole.kl.value, abs=NEAR)
    assert drawn.flips.value <= 0.1
    assert drawn.kl.n == drawn.flips.n == 4 * 8  # the openings were drawn by nobody
