"""The five scorers: their hook and their settings."""

import math

import pytest

import ptx_scorers
from ptx.testing import check_plugin
from ptx_scorers import Answer, Exact, Length, Numeric, Regex


def test_the_hook_scores_with_each_of_the_five_and_leaves_others_alone():
    def ask(scorer):
        return ptx_scorers.ptx_score(
            scorer=scorer, completions=["7", "the answer is 8"], references=["7", "8"]
        )

    assert ask(Answer()) == [1.0, 1.0]
    assert ask(Exact()) == [1.0, 0.0]
    assert ask(Numeric()) == [1.0, 1.0]
    assert ask(Regex(pattern=r"\d+")) == [1.0, 0.0]
    assert ask(Length(words=2)) == [0.0, -1.0]
    assert ask(object()) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Regex(pattern="("), r"scorer.regex.pattern: .\(. is no regular expression"),
        (lambda: Answer(tolerance=math.nan), "scorer.answer.tolerance must be at least 0, got nan"),
        (lambda: Numeric(tolerance=-1), "scorer.numeric.tolerance must be at least 0, got -1"),
        (lambda: Length(words=0), "scorer.length.words must be at least 1, got 0"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_scorers")
