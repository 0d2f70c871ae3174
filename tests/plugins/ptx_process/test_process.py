"""The settings of the method, the scorer and the evaluator."""

import pytest

from ptx import ConfigError
from ptx.testing import check_plugin
from ptx_process import MAKES, Process, ProcessReward


def test_wrong_settings_say_what_would_be_right():
    with pytest.raises(ValueError, match=r"scorer\.process\.aggregate must be one of min, product, last"):
        Process(aggregate="mean")
    with pytest.raises(ValueError, match=r"method\.max_length"):
        ProcessReward(max_length=0)


def test_the_scorer_asks_the_latest_step_that_makes_such_a_model():
    step, other = ProcessReward(), type("Other", (), {"makes": "reward"})()
    assert ProcessReward.makes == MAKES
    assert Process().models({"prm": step, "rm": other}) == {"model": "prm"}
    assert Process(model="prm").models({"prm": step}) == {"model": "prm"}
    assert Process(model="./folder").models({"prm": step}) == {}
    with pytest.raises(ConfigError, match="names a step that makes no process reward model"):
        Process(model="rm").models({"rm": other})


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_process")
