"""The settings of makers that let a model write."""

from __future__ import annotations

import pytest

from ptx import SettingError
from ptx.lm.making.maker import Answering


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperature": -1}, "make.temperature must be at least 0"),
        ({"max_new_tokens": 0}, "make.max_new_tokens must be at least 1"),
        ({"limit": 0}, "make.limit must be at least 1"),
        ({"chunk": 0}, "make.chunk must be at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(SettingError, match=message):
        Answering(**given)


def test_another_model_may_answer():
    assert Answering().models({}) == {}
    assert Answering(model="start").models({}) == {"model": "start"}
