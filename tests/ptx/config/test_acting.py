"""The settings that every environment has."""

import pytest

from ptx import Environment
from ptx.lm.training.reinforced import Reinforced


def test_limits_are_positive():
    with pytest.raises(ValueError, match=r"method\.environment\.turns must be at least 1, got 0"):
        Environment(turns=0)
    with pytest.raises(ValueError, match=r"method\.environment\.seconds"):
        Environment(seconds=0.0)
    assert Environment().inputs() == []


class Silent(Environment):
    rewards = False


def test_an_environment_with_a_reward_needs_no_scorer():
    assert Reinforced().reward_names == ["answer"]
    assert Reinforced(environment=Environment()).reward_names == []
    assert Reinforced(environment=Silent()).reward_names == ["answer"]
    with pytest.raises(ValueError, match="must name at least one scorer"):
        Reinforced(rewards=[], environment=Silent())
    with pytest.raises(ValueError, match=r"needs a scorer in method\.rewards"):
        Reinforced(environment=Environment(), watch=["answer"])
