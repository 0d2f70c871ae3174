"""The losses against their closed forms, and at the ends of their range."""

import math

import pytest
import torch

from ptx_pairwise import loss

CHOSEN, REJECTED = torch.tensor([-0.5, -2.0]), torch.tensor([-1.5, -0.7])


def test_simpo_is_the_papers_formula_and_log_2_for_equal_sides_without_a_margin():
    found = loss.simpo(CHOSEN, REJECTED, 2.0, 1.0)
    expected = [math.log1p(math.exp(-(2 * (a - b) - 1))) for a, b in zip(CHOSEN, REJECTED, strict=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-6)
    assert loss.simpo(CHOSEN, CHOSEN, 2.0, 0.0).tolist() == pytest.approx([math.log(2)] * 2)


def test_orpo_is_the_log_odds_ratio():
    p, q = CHOSEN.exp(), REJECTED.exp()
    ratio = (p / (1 - p)) / (q / (1 - q))
    expected = 0.1 * torch.log1p(1 / ratio)
    torch.testing.assert_close(loss.orpo(CHOSEN, REJECTED, 0.1), expected)
    assert loss.orpo(CHOSEN, CHOSEN, 1.0).tolist() == pytest.approx([math.log(2)] * 2)


def test_cpo_compares_sums():
    expected = torch.log1p(torch.exp(-0.1 * (CHOSEN - REJECTED)))
    torch.testing.assert_close(loss.cpo(CHOSEN, REJECTED, 0.1), expected)


@pytest.mark.parametrize("kind", [lambda c, r: loss.orpo(c, r, 0.1), lambda c, r: loss.simpo(c, r, 2.0, 1.0)])
def test_gradients_raise_the_chosen_and_lower_the_rejected(kind):
    chosen, rejected = CHOSEN.clone().requires_grad_(), REJECTED.clone().requires_grad_()
    kind(chosen, rejected).sum().backward()
    assert (chosen.grad < 0).all()
    assert (rejected.grad > 0).all()


def test_an_answer_that_is_nearly_certain_has_a_finite_loss_and_gradient():
    sure = torch.tensor([-1e-12, 0.0, -1e-4, -1.0, -40.0], requires_grad=True)
    found = loss.orpo(sure, torch.full_like(sure, -3.0), 0.1)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(sure.grad).all()
    exact = torch.tensor([-1e-4, -1.0, -40.0], dtype=torch.float64)
    torch.testing.assert_close(loss.log1mexp(exact), torch.log(1 - exact.exp()), rtol=1e-9, atol=1e-15)
