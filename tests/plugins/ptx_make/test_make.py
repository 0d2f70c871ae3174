"""The settings of the makers, and what they promise before anything runs."""

from __future__ import annotations

import pytest

from ptx import SettingError
from ptx.testing import check_plugin
from ptx_make import Sample, Spin


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_make")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n": 0}, "make.n must be at least 1"),
        ({"keep": "best"}, "make.keep must be one of messages, pairs, thumbs, prompts"),
        ({"temperature": 0}, "all answers would be equal"),
        ({"keep": "pairs", "n": 1}, "make.n must be at least 2 for pairs"),
        ({"keep": "pairs", "scorer": None}, "needs a scorer"),
        ({"keep": "thumbs", "above": None}, "make.above must be a number"),
        ({"solved": [1.0, 0.0]}, "make.solved must be two shares in order"),
        ({"limit": 0}, "make.limit must be at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, message):
    with pytest.raises(SettingError, match=message):
        Sample(**given)


def test_what_is_made_is_known_before():
    assert Sample(keep="pairs").gives("prompts") == ("pairs",)
    assert Sample(scorer=None).scorers() == []
    assert Spin().gives("messages") == ("pairs",)
