"""The critic that a training starts with."""

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from ptx import ModelRef, RunConfig
from ptx.lm.load import load_model
from ptx_ppo import PPO
from ptx_ppo.critic import critic_from

IDS = torch.tensor([[1, 40, 41, 42]])


def test_a_new_critic_predicts_nothing_and_has_no_exact_zeros(make_run, chat_model):
    run = make_run(RunConfig(method=PPO()))
    critic = critic_from(run, PPO(), ModelRef.of(chat_model)).eval()
    assert critic(input_ids=IDS).logits.abs().max() < 1e-3
    assert (critic.score.weight != 0).all()
    trunk = load_model(chat_model).base_model.state_dict()
    assert all(torch.equal(value, trunk[name]) for name, value in critic.base_model.state_dict().items())


def test_a_critic_from_a_reward_model_predicts_its_reward(make_run, chat_model, tmp_path):
    torch.manual_seed(1)
    reward = AutoModelForSequenceClassification.from_pretrained(chat_model, num_labels=1).eval()
    reward.save_pretrained(tmp_path / "rm")
    AutoTokenizer.from_pretrained(chat_model).save_pretrained(tmp_path / "rm")
    run = make_run(RunConfig(method=PPO())).at(models={"critic": ModelRef.of(tmp_path / "rm")})
    critic = critic_from(run, PPO(), ModelRef.of(chat_model)).eval()
    torch.testing.assert_close(
        critic(input_ids=IDS).logits[0, -1, 0], reward(input_ids=IDS).logits[0, 0], atol=1e-4, rtol=0
    )
