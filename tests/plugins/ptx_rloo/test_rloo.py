"""The plugin itself."""

import pytest

from ptx.testing import check_plugin
from ptx_rloo import RLOO


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"batch_size": 30},
            "must be a multiple of method.num_generations=4, got 30; try method.batch_size=28",
        ),
        ({"num_generations": 1}, "method.num_generations must be greater than 1, got 1"),
        ({"reward_clip": [1.0]}, r"must be \[LOWEST, HIGHEST\], got \[1.0\]"),
        ({"beta": -1.0}, "method.beta must"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(settings, message):
    with pytest.raises(ValueError, match=message):
        RLOO(**settings)


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_rloo")
