"""TRL's own trainers: the student's answers, and a teacher with another tokenizer."""

import pytest

from ptx import StepError
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx_distill import Gold, OnPolicy

PROMPTS = [{"prompt": f"what is {n} plus {n}? ", "answer": str(2 * n)} for n in range(8)]


def test_the_student_learns_on_its_own_answers(teach, chat_model, losses_of):
    run, result = teach(
        OnPolicy, teacher=chat_model, layers=1, rows=PROMPTS, max_completion_length=8, max_steps=2
    )
    assert len(losses_of(run)) == 2
    assert load_model(result.path).config.num_hidden_layers == 1


def test_a_student_that_equals_its_teacher_has_nothing_to_learn_on_policy(teach, chat_model, tmp_path):
    save_model(load_model(chat_model), load_tokenizer(chat_model), tmp_path / "copy")
    copy = tmp_path / "copy"
    (copy / "note.txt").write_text("the same weights in another folder")
    with pytest.raises(StepError, match="the gradient has been zero"):
        teach(OnPolicy, model=copy, teacher=chat_model, rows=PROMPTS, max_completion_length=8, max_steps=1)


def test_a_student_learns_from_a_teacher_with_another_tokenizer(teach, foreign, losses_of):
    run, result = teach(Gold, teacher=foreign, max_steps=2)
    assert len(losses_of(run)) == 2
    assert load_model(result.path).config.vocab_size == 262
