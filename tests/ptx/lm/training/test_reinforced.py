"""The settings that all methods with rewards share."""

import pytest

from ptx.lm.training.reinforced import Reinforced


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rewards": []}, r"must name at least one scorer, got \[\]; try method.rewards=\[answer\]"),
        ({"unscored": "best"}, "method.unscored must be worst, zero or skip, got 'best'"),
        ({"unscored": {"answer": "best"}}, "method.unscored must be worst, zero or skip, got 'best'"),
        (
            {"unscored": {"anwser": "skip"}},
            "names 'anwser', which is not among method.rewards; did you mean 'answer'",
        ),
        ({"watch": ["answer"]}, "method.watch names 'answer', which is trained on"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(settings, message):
    with pytest.raises(ValueError, match=message):
        Reinforced(**settings)


def test_scorers_that_are_watched_are_asked_too():
    assert Reinforced(rewards=["answer"], watch=["exact"]).scorers() == ["answer", "exact"]
