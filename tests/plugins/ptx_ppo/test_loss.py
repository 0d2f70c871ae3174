"""PPO's arithmetic against its definitions."""

import pytest
import torch

from ptx_ppo import loss


@pytest.fixture
def batch():
    torch.manual_seed(0)
    lengths = torch.tensor([6, 3, 1, 5])
    mask = (torch.arange(6)[None] < lengths[:, None]).float()
    return torch.randn(4, 6) * mask, torch.randn(4, 6) * mask, mask, lengths


def test_gae_is_the_sum_of_its_definition(batch):
    rewards, values, mask, lengths = batch
    found, returns = loss.advantages(rewards, values, mask, 0.97, 0.9)
    for row, length in enumerate(lengths.tolist()):
        for t in range(length):
            expected = sum(
                (0.97 * 0.9) ** (k - t)
                * (rewards[row, k] + (0.97 * values[row, k + 1] if k + 1 < length else 0) - values[row, k])
                for k in range(t, length)
            )
            assert found[row, t].item() == pytest.approx(expected.item(), abs=1e-5)
    torch.testing.assert_close(returns, (found + values) * mask)
    assert (found * (1 - mask)).abs().max() == 0


def test_with_lambda_one_an_advantage_is_what_came_minus_what_was_expected(batch):
    rewards, values, mask, _ = batch
    came = rewards.flip(1).cumsum(1).flip(1) * mask
    found, returns = loss.advantages(rewards, values, mask, 1.0, 1.0)
    torch.testing.assert_close(found, (came - values) * mask)
    torch.testing.assert_close(returns, came)


def test_without_a_critic_a_discount_and_a_penalty_every_token_has_the_score_of_its_answer(batch):
    """REINFORCE with the reward of the sequence."""
    _, ratios, mask, _ = batch
    scores = torch.tensor([1.0, -1.0, 2.0, 0.5])
    rewards = loss.token_rewards(scores, ratios, mask, 0.0)
    found, _ = loss.advantages(rewards, torch.zeros_like(mask), mask, 1.0, 1.0)
    torch.testing.assert_close(found, scores[:, None] * mask)


def test_tokens_of_a_tool_are_passed_over(batch):
    rewards, values, *_ = batch
    whole = torch.ones(1, 3)
    gapped = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    short, _ = loss.advantages(rewards[:1, :3], values[:1, :3], whole, 0.9, 0.8)
    spread = [
        torch.stack([one[0, 0], torch.tensor(9.0), one[0, 1], one[0, 2]])[None] for one in (rewards, values)
    ]
    long, _ = loss.advantages(*spread, gapped, 0.9, 0.8)
    torch.testing.assert_close(long[:, [0, 2, 3]], short)


def test_the_score_stands_at_the_last_real_token_and_the_penalty_at_each(batch):
    _, ratios, mask, lengths = batch
    scores = torch.tensor([1.0, -1.0, 2.0, 0.5])
    found = loss.token_rewards(scores, ratios, mask, 0.1)
    for row, length in enumerate(lengths.tolist()):
        expected = -0.1 * ratios[row] * mask[row]
        expected[length - 1] += scores[row]
        torch.testing.assert_close(found[row], expected)
    nothing = loss.token_rewards(scores, ratios, torch.zeros_like(mask), 0.1)
    assert nothing.abs().max() == 0


def test_a_constant_critic_shifts_nothing_after_whitening(batch):
    rewards, _, mask, _ = batch
    found = [
        loss.whitened(loss.advantages(rewards, torch.full_like(mask, b) * mask, mask, 1.0, 1.0)[0], mask)
        for b in (0.0, 3.0)
    ]
    torch.testing.assert_close(*found)
    assert (found[0] * mask).sum().item() == pytest.approx(0, abs=1e-5)


def test_a_value_that_moved_too_far_gains_nothing():
    old, returns = torch.zeros(1), torch.ones(1)
    values = torch.tensor([0.9], requires_grad=True)
    clipped = loss.value_loss(values, old, returns, 0.2)
    clipped.sum().backward()
    assert clipped.item() == pytest.approx(0.5 * 0.8**2)
    assert values.grad.item() == 0
    assert loss.value_loss(values, old, returns, 0.0).item() == pytest.approx(0.5 * 0.1**2)


def test_explained_variance_is_one_for_a_perfect_critic_and_zero_for_a_constant_one(batch):
    _, returns, mask, _ = batch
    assert loss.explained_variance(returns, returns, mask).item() == 1
    assert loss.explained_variance(torch.ones_like(returns), returns, mask).item() == pytest.approx(
        0, abs=1e-6
    )
