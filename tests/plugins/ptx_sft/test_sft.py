"""The plugin itself: its settings, and the problems that it reports before the model is loaded."""

import pytest

import ptx_sft
from ptx import RunConfig
from ptx.testing import check_plugin
from ptx_sft import SFT

CHAT = [{"messages": [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}]}]
ANSWER = [{"prompt": "why? ", "completion": "so"}]


@pytest.fixture
def problems(make_data):
    """``problems(model, rows, **settings)``: the problems of SFT on these rows."""

    def find(model, rows, **settings):
        config = RunConfig(method=SFT(**settings))
        return [
            str(problem)
            for problem in ptx_sft.ptx_validate(config=config, model=model, data=make_data("rows", rows))
        ]

    return find


def test_conversations_need_a_chat_template_and_other_rows_do_not(problems, plain_model, chat_model):
    (problem,) = problems(plain_model, CHAT)
    assert "has no chat template" in problem
    assert problems(chat_model, CHAT) == []
    assert problems(plain_model, ANSWER) == []


def test_arguments_that_a_setting_decides_are_refused(problems, chat_model):
    (problem,) = problems(chat_model, CHAT, args={"packing": True})
    assert "method.packing" in problem


def test_other_methods_are_left_to_others(chat_model):
    assert ptx_sft.ptx_validate(config=RunConfig(), model=chat_model, data=None) == []


def test_a_length_of_0_is_refused_with_what_would_be_right():
    with pytest.raises(ValueError, match=r"method\.max_length must be positive, got 0"):
        SFT(max_length=0)


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_sft")
