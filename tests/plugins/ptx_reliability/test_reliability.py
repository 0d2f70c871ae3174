import pytest

import ptx_reliability
from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_reliability import Abstention, Reliability, WordSupport


@pytest.mark.parametrize(
    "settings", [{"samples": 1}, {"temperature": 0}, {"limit": 0}, {"max_new_tokens": 0}]
)
def test_wrong_settings_are_refused_with_what_to_type(settings):
    with pytest.raises(ValueError, match=r"; try eval.reliability\."):
        Reliability(**settings)


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_reliability")


def test_the_scorers_answer_through_their_choices(make_run):
    scorers = {"abstention": Abstention(also=["no comment"]), "word_support": WordSupport(share=0.5)}
    run = make_run(RunConfig(scorer=scorers), [ptx_reliability])
    replies = ["No comment.", "The boat is red."]
    assert run.score("abstention", ["q", "q"], replies, [None, None]) == [1.0, 0.0]
    assert run.score("word_support", ["q", "q"], replies, ["a red boat", "a red boat"]) == [0.0, 1.0]
