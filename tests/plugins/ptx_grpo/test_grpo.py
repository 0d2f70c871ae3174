"""The plugin itself: its settings, its scorers and the names of its losses."""

import math
import re

import pytest

import ptx_grpo
from ptx.testing import check_plugin
from ptx_grpo import GRPO


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"batch_size": 12},
            "must be a multiple of method.num_generations=8, got 12; try method.batch_size=8",
        ),
        ({"num_generations": 1}, "method.num_generations must be greater than 1, got 1"),
        ({"rewards": []}, r"must name at least one scorer, got \[\]; try method.rewards=\[answer\]"),
        (
            {"rewards": ["a", "b"], "reward_weights": [1.0]},
            r"one weight for each of \['a', 'b'\], got \[1.0\]",
        ),
        ({"loss": "gpro"}, "did you mean 'grpo'?"),
        ({"temperature": math.nan}, "method.temperature must be positive, got nan"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(settings, message):
    with pytest.raises(ValueError, match=message):
        GRPO(**settings)


def test_its_scorers_are_its_rewards():
    assert GRPO(rewards=["numeric", "length"]).scorers() == ["numeric", "length"]


def test_the_names_of_losses_are_those_that_trl_names():
    from trl import GRPOConfig

    sentence = (
        GRPOConfig.__dataclass_fields__["loss_type"]
        .metadata["help"]
        .partition("Supported values are")[2]
        .partition(".")[0]
    )
    assert sorted(ptx_grpo.LOSSES) == sorted(re.findall(r"'(\w+)'", sentence))


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_grpo")
