import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ptx import StepError
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.serving.fidelity import check, compare, logits_of, openings, own_text
from tests.plugins.conftest import TEMPLATE, save_tiny_llama

SCORES = np.random.default_rng(0).normal(size=(40, 5, 7)).astype(np.float32)


def served(change=lambda scores: scores):
    """A runtime that gives the model's own scores, changed."""
    return SimpleNamespace(logits=lambda rows: (change(SCORES[row[0]]) for row in rows))


ROWS = [[place, 0, 0, 0, 0] for place in range(40)]
MODEL = lambda row: SCORES[row[0]]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_llama(tmp_path_factory.mktemp("models") / "chat", TEMPLATE)


def test_the_model_itself_has_no_distance_and_yet_flips_are_not_excluded():
    found = compare(MODEL, served(), ROWS)
    assert found.kl.value == pytest.approx(0, abs=1e-12)
    assert (found.flips.value, found.flips.n) == (0, 200)
    assert 0.01 < found.flips.high < 0.03  # Wilson's bound for none in 200
    assert found.perplexity_ratio == pytest.approx(1)


def test_scores_shifted_by_a_constant_are_the_same_distribution():
    assert compare(MODEL, served(lambda scores: scores + 5), ROWS).kl.value == pytest.approx(0, abs=1e-6)


def test_the_divergence_is_that_of_the_formula():
    found = compare(MODEL, served(lambda scores: scores * 0.5), ROWS)
    p, q = (
        torch.from_numpy(SCORES).double().log_softmax(-1),
        (torch.from_numpy(SCORES).double() * 0.5).log_softmax(-1),
    )
    expected = torch.nn.functional.kl_div(q, p, log_target=True, reduction="none").sum(-1)
    assert found.kl.value == pytest.approx(float(expected.mean()), rel=1e-5)
    assert found.kl.low < found.kl.value < found.kl.high
    assert found.flips.value == 0  # the order is kept
    assert found.perplexity_ratio == pytest.approx(math.exp(float(expected.mean())), rel=1e-5)


def test_every_token_that_would_be_said_otherwise_is_a_flip():
    assert compare(MODEL, served(lambda scores: -scores), ROWS).flips.value == 1


def test_scores_that_are_not_finite_win_nothing():
    found = compare(MODEL, served(lambda scores: scores * np.nan), ROWS)
    assert math.isnan(found.kl.value)
    assert found.perplexity_ratio == math.inf


def test_a_runtime_that_leaves_tokens_out_is_caught():
    with pytest.raises(ValueError, match="scores for 4 of 5 tokens"):
        compare(MODEL, served(lambda scores: scores[1:]), ROWS)


def test_a_vocabulary_padded_by_the_runtime_is_cut():
    assert compare(
        MODEL, served(lambda scores: np.pad(scores, ((0, 0), (0, 3)))), ROWS
    ).kl.value == pytest.approx(0, abs=1e-12)


def test_texts_are_the_models_own_seeded_and_open_a_users_turn(model):
    network, tokenizer = load_model(model), load_tokenizer(model)
    begin, turn = openings(tokenizer)
    assert tokenizer.decode(begin) == "<|bos|>"
    assert tokenizer.decode(turn) == "<|bos|><|user|>"
    rows = own_text(network, tokenizer, seed=1, rows=5, tokens=6)
    assert [len(row) for row in rows] == [7, 7, 7, 8, 8]
    assert (
        rows
        == own_text(network, tokenizer, seed=1, rows=5, tokens=6)
        != own_text(network, tokenizer, seed=2, rows=5, tokens=6)
    )


def test_texts_follow_the_models_distribution(model):
    network, tokenizer = load_model(model), load_tokenizer(model)
    tokenizer.chat_template = None
    firsts = [row[1] for row in own_text(network, tokenizer, seed=0, rows=3000, tokens=1)]
    expected = torch.softmax(torch.from_numpy(logits_of(network)([1])[0]).double(), -1)
    for token in expected.topk(5).indices.tolist():
        p = float(expected[token])
        assert abs(firsts.count(token) / 3000 - p) < 4 * math.sqrt(p * (1 - p) / 3000)


def test_what_is_not_the_model_is_refused_with_the_figures_and_what_to_try():
    same, halved = compare(MODEL, served(), ROWS), compare(MODEL, served(lambda scores: scores * 0.5), ROWS)
    check(same, "the fp32 package", 1.01, "nothing", exact=True)
    check(halved, "the int4 package", 2.0, "nothing")
    with pytest.raises(
        StepError,
        match=(
            r"^the int4 package has 1\.\d+ times .*\(KL 0\.\d+ nats per token, 0\.0% of 200 tokens flip\),"
            r" allowed are 1\.01; try int8$"
        ),
    ):
        check(halved, "the int4 package", 1.01, "int8")
    with pytest.raises(StepError, match=r"^the fp32 package is not the model: KL 0\.\d+ nats per token"):
        check(halved, "the fp32 package", 2.0, "nothing", exact=True)
    with pytest.raises(StepError, match="nan"):
        check(compare(MODEL, served(lambda scores: scores * np.nan), ROWS), "the package", 2.0, "nothing")
