"""The plugin itself."""

import pytest

from ptx import Lora, RunConfig
from ptx.testing import check_plugin
from ptx_reward import RewardEvaluation, RewardModel, ptx_validate


def test_a_wrong_setting_says_what_would_be_right():
    with pytest.raises(ValueError, match=r"method.center must .*got -1; try method.center=0.01"):
        RewardModel(center=-1)
    with pytest.raises(ValueError, match=r"eval.reward.limit must"):
        RewardEvaluation(limit=0)


def test_what_cannot_work_is_said_before_a_weight_is_loaded(plain_model, chat_model):
    found = [str(one) for one in ptx_validate(RunConfig(method=RewardModel()), plain_model, None)]
    assert any("has no chat template, with which a reward model reads conversations" in one for one in found)
    kept = RunConfig(method=RewardModel(lora=Lora(merge=False)))
    found = [str(one) for one in ptx_validate(kept, chat_model, None)]
    assert any("a reward model is kept whole, with its head" in one for one in found)
    asked = RunConfig(eval={"reward": RewardEvaluation()})
    (empty,) = ptx_validate(asked, chat_model, None)
    assert "eval.reward.pairs is empty" in str(empty)


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_reward")
