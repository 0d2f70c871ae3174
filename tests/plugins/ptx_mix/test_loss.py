"""The mixture's losses: closed forms, directions, masks, and agreement with slow plain references."""

import math

import pytest
import torch

from ptx_mix import loss


def sequences(seed=0, rows=5, tokens=7):
    made = torch.Generator().manual_seed(seed)
    log_probs = -3 * torch.rand(rows, tokens, generator=made)
    mask = torch.rand(rows, tokens, generator=made) < 0.6
    return log_probs.requires_grad_(), mask


def test_preference_is_log_2_when_policy_equals_reference():
    chosen, rejected = torch.tensor([-3.0, -1.0]), torch.tensor([-2.0, -9.0])
    assert loss.preference(chosen, rejected, chosen, rejected, 0.3).tolist() == pytest.approx(
        [math.log(2)] * 2
    )


def test_preference_is_that_of_the_paper_for_a_margin_known():
    found = loss.preference(
        torch.tensor([-1.0]), torch.tensor([-4.0]), torch.tensor([-2.0]), torch.tensor([-2.0]), 0.5
    )
    assert found.item() == pytest.approx(math.log1p(math.exp(-0.5 * 3.0)))


def test_preference_pushes_chosen_up_and_rejected_down_and_weighs_by_how_wrong_it_is():
    chosen, rejected = (torch.tensor([-5.0, -1.0], requires_grad=True) for _ in range(2))
    margin = torch.tensor([-4.0, 4.0])  # the first pair is ordered wrongly, the second rightly
    loss.preference(chosen, rejected, chosen.detach() - margin, rejected.detach(), 0.1).sum().backward()
    assert (chosen.grad < 0).all()
    assert (rejected.grad > 0).all()
    # equation after 7: beta * sigma(reward of rejected - reward of chosen)
    assert chosen.grad.tolist() == pytest.approx([-0.1 / (1 + math.exp(0.1 * m)) for m in margin.tolist()])


def test_preference_agrees_with_a_slow_plain_reference():
    made = torch.Generator().manual_seed(1)
    policy, reference = (-20 * torch.rand(2, 6, generator=made) for _ in range(2))
    expected = []
    for i in range(6):
        better = math.exp(float(policy[0, i] - reference[0, i])) ** 0.2
        worse = math.exp(float(policy[1, i] - reference[1, i])) ** 0.2
        expected.append(-math.log(better / (better + worse)))  # Bradley-Terry with the implicit rewards
    assert loss.preference(*policy, *reference, 0.2).tolist() == pytest.approx(expected, rel=1e-4)


def test_imitation_of_uniform_predictions_is_log_of_the_vocabulary():
    uniform = torch.full((2, 3), -math.log(50))
    assert loss.imitation(uniform, torch.ones(2, 3)).item() == pytest.approx(math.log(50))


def test_imitation_pushes_every_token_of_the_answers_up_alike_and_no_other():
    log_probs, mask = sequences()
    loss.imitation(log_probs, mask).backward()
    assert torch.allclose(log_probs.grad, -mask.float() / mask.sum())


def test_sums_and_means_ignore_what_is_masked():
    log_probs, mask = sequences()
    spoilt = torch.where(mask, log_probs, torch.tensor(-100.0))
    assert loss.imitation(spoilt, mask).item() == pytest.approx(loss.imitation(log_probs, mask).item())
    assert loss.answer_log_probability(spoilt, mask).tolist() == pytest.approx(
        loss.answer_log_probability(log_probs, mask).tolist()
    )
    assert loss.imitation(log_probs, torch.zeros_like(mask)).item() == 0.0


def test_imitation_and_sums_agree_with_a_slow_plain_reference():
    log_probs, mask = sequences(seed=2)
    rows = [
        [p for p, kept in zip(row, keep, strict=True) if kept]
        for row, keep in zip(log_probs.tolist(), mask.tolist(), strict=True)
    ]
    assert loss.answer_log_probability(log_probs, mask).tolist() == pytest.approx(
        [math.fsum(row) for row in rows], rel=1e-5
    )
    tokens = [p for row in rows for p in row]
    assert loss.imitation(log_probs, mask).item() == pytest.approx(-math.fsum(tokens) / len(tokens), rel=1e-5)


def test_the_mixture_is_the_weighted_sum_and_so_is_its_gradient():
    parts = [torch.tensor(value, requires_grad=True) for value in (1.0, 2.0, 4.0)]
    total = loss.mixed(parts[0], (0.5, parts[1]), (0.25, parts[2]))
    total.backward()
    assert total.item() == 3.0
    assert [part.grad.item() for part in parts] == [1.0, 0.5, 0.25]


def test_a_mixture_of_one_is_that_one():
    only = torch.tensor(0.7)
    assert loss.mixed(only) is only
