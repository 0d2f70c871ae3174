import shutil

import pytest

from ptx.lm import template
from tests.plugins.conftest import TEMPLATE, save_tiny_llama

UNMARKED = TEMPLATE.replace("{% generation %}", "").replace("{% endgeneration %}", "")


def test_a_template_that_marks_the_answers_and_none_at_all_are_no_problem(chat_model, plain_model):
    assert template.problems(chat_model) == []
    assert template.problems(plain_model) == []


@pytest.fixture
def unmarked(tmp_path):
    return save_tiny_llama(tmp_path / "unmarked", UNMARKED)


def test_a_template_without_the_mark_that_writes_a_reply_behind_its_prompt_is_no_problem(unmarked):
    assert template.problems(unmarked) == []


def test_a_template_without_the_mark_that_rewrites_what_came_before_is_a_problem(unmarked):
    (unmarked / "chat_template.jinja").write_text("{{ messages|length }} messages: " + UNMARKED)
    (problem,) = template.problems(unmarked)
    assert "does not mark the assistant's tokens ({% generation %} is missing)" in problem.what
    assert "method.assistant_only=false" in problem.fix


def test_a_template_that_trl_can_mark_is_no_problem(unmarked):
    from trl.chat_template_utils import qwen3_chat_template

    (unmarked / "chat_template.jinja").write_text(qwen3_chat_template)
    assert "generation %}" not in qwen3_chat_template
    assert template.problems(unmarked) == []


def test_a_broken_model_folder_is_left_to_the_core(unmarked):
    shutil.rmtree(unmarked)
    assert template.problems(unmarked) == []
