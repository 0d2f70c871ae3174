import math

import numpy as np
import pytest
import torch

from ptx.lm.evaluation.divergence import kl, likeliest
from ptx.lm.serving.decoding import log_softmax


def logits(seed, rows=6, words=9):
    return np.random.default_rng(seed).normal(0, 2, (rows, words))


def test_kl_over_all_words_is_torchs():
    base, ours = log_softmax(logits(0)), log_softmax(logits(1))
    expected = torch.nn.functional.kl_div(
        torch.tensor(ours), torch.tensor(base), log_target=True, reduction="none"
    ).sum(1)
    assert kl(*likeliest(base, 9), ours) == pytest.approx(expected.numpy())


def test_kl_of_a_few_words_is_a_lower_bound_that_grows_with_them():
    base, ours = log_softmax(logits(0)), log_softmax(logits(1))
    found = np.array([kl(*likeliest(base, count), ours) for count in (1, 3, 6, 9)])
    assert (np.diff(found, axis=0) >= -1e-12).all()
    assert (found >= 0).all()


def test_two_words_give_the_closed_form():
    base, ours = np.log([[0.75, 0.25]]), np.log([[0.5, 0.5]])
    assert kl(*likeliest(base, 1), ours)[0] == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))


def test_float32_gives_the_kl_of_float64_and_is_finite_where_a_few_words_hold_all():
    """What is left of 1 may round to 0 or below: a likely word beside others of 1e-9."""
    drawn = np.random.default_rng(0)
    scores = drawn.normal(size=(200, 50)) * 2
    scores[:100, 0] += 25
    ours = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    words, base = likeliest(ours, 4)
    single = ours.astype(np.float32)
    assert np.allclose(kl(words, base, single), 0.0, atol=1e-5)
    other = np.roll(scores, 1, axis=0)
    other -= np.log(np.exp(other).sum(axis=1, keepdims=True))
    exact, found = kl(words, base, other), kl(words, base, other.astype(np.float32))
    assert np.isfinite(found).all()
    assert np.allclose(found, exact, rtol=1e-4, atol=2e-5)
