"""The plugin itself."""

import pytest

from ptx import ConfigError, Lora, RunConfig
from ptx.testing import check_plugin
from ptx_ppo import PPO, ptx_validate


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 7}, "method.batch_size must be even, got 7; try method.batch_size=8"),
        ({"gae_lambda": 1.5}, r"method.gae_lambda must lie in \[0, 1\], got 1.5"),
        ({"clip": 0.0}, "method.clip must be positive"),
        (
            {"iterations": 3, "checkpoint_every": 200},
            r"must be a multiple of method.iterations=3.*try method.checkpoint_every=198",
        ),
        ({"value_weight": -1}, "method.value_weight must"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(settings, message):
    with pytest.raises(ValueError, match=message):
        PPO(**settings)


def test_the_critic_is_a_reward_step_or_nothing():
    assert PPO().models({}) == {}
    with pytest.raises(
        ConfigError, match=r"method\.critic=sft names no step before it that makes a reward model"
    ):
        PPO(critic="sft").models({"sft": PPO()})


def test_an_adapter_is_no_problem(chat_model):
    assert ptx_validate(RunConfig(method=PPO(lora=Lora(), max_completion_length=64)), chat_model, None) == []


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_ppo")
