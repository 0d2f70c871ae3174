"""Settings: the default teacher, and values that cannot be."""

import pytest

from ptx import Method
from ptx_distill import Distill, Gold, OnPolicy, Sequence
from ptx_distill.settings import name_before_compression


def test_without_any_compression_before_it_the_input_is_the_teacher():
    assert name_before_compression({}) == "input"
    assert name_before_compression({"sft": Method()}) == "input"
    assert name_before_compression({"distill": Distill()}) == "start"


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Distill, {"logits_weight": 0}, "are all 0, so there is no loss"),
        (Distill, {"temperature": 0.0}, "method.temperature must be positive"),
        (Distill, {"temperature": 0.3}, r"too low for method.top_k=64; try method.top_k=0"),
        (Distill, {"divergence": "jsd", "beta": 0.0}, "try method.divergence=forward_kl"),
        (Distill, {"divergence": "kl"}, "there is no method.divergence 'kl'"),
        (Distill, {"data_weight": -1.0}, "method.data_weight must be at least 0"),
        (Distill, {"layers": 2, "keep_layers": [0]}, "are both given"),
        (Distill, {"keep_layers": [2, 1]}, "must be different numbers from 0 on in ascending order"),
        (Sequence, {"sampling": -0.1}, "method.sampling must be at least 0"),
        (OnPolicy, {"beta": 1.5}, r"method.beta must lie in \[0, 1\]"),
        (Gold, {"on_policy": 2.0}, r"method.on_policy must lie in \[0, 1\]"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)
