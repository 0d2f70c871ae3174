"""The plugin itself: its settings and the names of its losses."""

import re

import pytest

import ptx_dpo
from ptx.testing import check_plugin
from ptx_dpo import DPO


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": -1.0}, "method.beta must be positive, got -1.0; try method.beta=0.1"),
        ({"loss": "sigmod"}, "there is no method.loss 'sigmod'; did you mean 'sigmoid'?"),
        ({"label_smoothing": 0.5}, r"method.label_smoothing must lie in \[0, 0.5\), got 0.5"),
        ({"loss": "exo_pair"}, "exo_pair needs label smoothing, got 0.0; try method.label_smoothing=0.001"),
        ({"learning_rate": 0.0}, "method.learning_rate must be positive, got 0.0"),
        (
            {"batch_size": 16, "micro_batch": 5},
            "method.micro_batch must divide method.batch_size=16, got 5; try method.micro_batch=4",
        ),
        ({"scheduler": "cosin"}, "did you mean 'cosine'?"),
        ({"max_steps": 0}, "method.max_steps must be positive, got 0"),
        ({"max_length": 0}, "method.max_length must be positive, got 0"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(settings, message):
    with pytest.raises(ValueError, match=message):
        DPO(**settings)


def test_the_names_of_losses_are_those_that_trl_names():
    from trl import DPOConfig

    named = re.findall(r"`'(\w+)'`", DPOConfig.__dataclass_fields__["loss_type"].metadata["help"])
    assert set(ptx_dpo.LOSSES) == set(named)


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_dpo")
