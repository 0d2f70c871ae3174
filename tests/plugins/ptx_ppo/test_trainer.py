"""The trainer: what TRL is relied on for, and that policy and critic do not mix."""

from dataclasses import dataclass

import pytest
import torch

import ptx_ppo
from ptx import Choice, RunConfig, Scorer, hookimpl
from ptx.lm.training import trainer as training
from ptx_ppo import PPO


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


def test_the_loss_of_the_policy_moves_no_critic(ppo, make_data, chat_model):
    from transformers import AutoModelForTokenClassification

    from ptx.lm.load import load_model
    from tests.plugins.ptx_ppo.conftest import PROMPTS

    run, made = ppo(
        chat_model, make_data("prompts", PROMPTS), max_steps=2, value_weight=0.0, keep_critic=True
    )
    before = load_model(chat_model).base_model.state_dict()
    critic = AutoModelForTokenClassification.from_pretrained(run.folder / "critic", dtype="float32")
    after = critic.base_model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert critic.score.weight.abs().max() < 1e-5  # as it was drawn: a new critic predicts nothing
    policy = load_model(made.path).base_model.state_dict()
    assert not all(torch.equal(value, policy[name]) for name, value in before.items())


@dataclass
class Asked(Scorer):
    """What an answer is worth is known from its prompt: 1 for numbers of two digits."""


class Plugin:
    __name__ = "asked"

    @hookimpl
    def ptx_choices(self):
        return [Choice("scorer", "asked", Asked)]

    @hookimpl
    def ptx_score(self, scorer, prompts):
        return [float("is 1" in one) for one in prompts] if isinstance(scorer, Asked) else None


def test_the_critic_alone_learns_a_reward_that_is_known_before(make_run, train, make_data, chat_model):
    from tests.plugins.ptx_ppo.conftest import QUICK

    alone = {"max_steps": 40, "critic_warmup": 40, "critic_learning_rate": 1e-2, "batch_size": 32}
    exact = {"gae_lambda": 1.0, "beta": 0.0, "value_clip": 0.0, "try_scorers": False}
    method = PPO(**{**QUICK, **alone, **exact, "rewards": ["asked"]})
    run = make_run(RunConfig(method=method, scorer={"asked": Asked()}), [ptx_ppo, Plugin()])
    rows = [{"prompt": f"what is {n} plus {n}? ", "answer": 2 * n} for n in (*range(2, 10), *range(12, 20))]
    train(run, chat_model, make_data("prompts", rows))
    explained = [shown["explained_variance"] for shown in run.console.progressed if "reward" in shown]
    assert abs(explained[0]) < 0.1
    assert sum(explained[-4:]) / 4 > 0.8
