"""The plugin itself."""

import math

import pytest

from ptx.testing import check_plugin
from ptx_pairwise import CPO, ORPO, SimPO


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (ORPO, {"beta": 0.0}, "method.beta must be positive, got 0.0; try method.beta=0.1"),
        (SimPO, {"gamma_ratio": -0.1}, "method.gamma_ratio must .*got -0.1; try method.gamma_ratio=0.5"),
        (CPO, {"nll_weight": -1.0}, "method.nll_weight must"),
        (SimPO, {"beta": math.nan}, "method.beta must be positive, got nan"),
        (CPO, {"max_length": 0}, "method.max_length must be positive, got 0"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_pairwise")
