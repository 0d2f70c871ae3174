"""The trainer: what TRL is relied on for, and that policy and critic do not mix."""

import pytest
import torch

from ptx.lm.training import trainer as training


@pytest.fixture
def kept(monkeypatch):
    found, fit = [], training.fit_trainer

    def keep(run, trainer, *rest):
        found.append(trainer)
        trainer.seen = []
        compute = trainer._compute_loss
        trainer._compute_loss = lambda model, inputs: (trainer.seen.append(inputs), compute(model, inputs))[1]
        return fit(run, trainer, *rest)

    monkeypatch.setattr("ptx_ppo.train.fit_trainer", keep)
    return found


def test_batches_hold_what_the_loss_reads_and_the_first_pass_is_on_policy(ppo, make_data, chat_model, kept):
    from tests.plugins.ptx_ppo.conftest import PROMPTS

    run, _ = ppo(chat_model, make_data("prompts", PROMPTS), max_steps=1, beta=0.1)
    (batch,) = kept[0].seen
    assert batch["advantages"].shape == batch["completion_ids"].shape == batch["returns"].shape
    assert (batch["advantages"] * (1 - batch["value_mask"])).abs().max() == 0
    shown = run.console.progressed[0]
    assert shown["kl"] == pytest.approx(0, abs=1e-5)  # the policy is its own reference at first
    assert {"explained_variance", "value_loss", "value", "reward"} <= set(shown)
    assert "frac_reward_zero_std" not in shown
    assert shown["clip_ratio/region_mean"] == 0


def test_policy_and_critic_have_their_own_parameters_and_rates(ppo, make_data, chat_model, kept):
    from tests.plugins.ptx_ppo.conftest import PROMPTS

    ppo(chat_model, make_data("prompts", PROMPTS), max_steps=1, critic_learning_rate=0.5, learning_rate=0.25)
    rates = {group["initial_lr"]: len(group["params"]) for group in kept[0].optimizer.param_groups}
    assert set(rates) == {0.25, 0.5}
    assert all(rates.values())


def test_in_the_warm_up_the_policy_stands_still(ppo, make_data, chat_model):
    from ptx.lm.load import load_model
    from tests.plugins.ptx_ppo.conftest import PROMPTS

    data = make_data("prompts", PROMPTS)
    _, made = ppo(chat_model, data, max_steps=2, critic_warmup=2)
    before, after = (
        torch.cat([p.flatten() for p in load_model(f).parameters()]) for f in (chat_model, made.path)
    )
    assert torch.equal(before, after)
