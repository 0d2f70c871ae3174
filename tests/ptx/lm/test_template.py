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


def test_a_template_without_the_mark_is_a_problem(unmarked):
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


def test_every_template_that_trl_can_mark_is_found_without_importing_trl():
    from trl import chat_template_utils as trl

    names = [
        name.removesuffix("_training_chat_template")
        for name in vars(trl)
        if name.endswith("_training_chat_template")
    ]
    known = [name for name in names if hasattr(trl, f"{name}_chat_template") and not name.startswith("get")]
    assert len(known) > 20
    for name in known:
        plain, marked = getattr(trl, f"{name}_chat_template"), getattr(trl, f"{name}_training_chat_template")
        assert template.training_source(plain) == marked
