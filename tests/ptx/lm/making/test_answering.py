"""Answers to prompts: the first of n are those of a smaller n, and an answer that was cut is known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ptx import StepError
from ptx.lm.making.answering import answer, answered, drawn, prompt_text, usable
from ptx.lm.making.maker import Answering
from ptx.lm.serving.decoding import Generated

ROWS = [{"prompt": f"ask {number}"} for number in range(3)]


def test_two_answers_are_the_first_two_of_four(scripted):
    lm = scripted(lambda prompt, place, seed: f"{prompt} {seed} {place}")
    two, four = (answer(lm, Answering(), ROWS, n, seed=5) for n in (2, 4))
    assert [group[:2] for group in four] == two
    assert all(one.startswith(f"ask {place} ") for place, group in enumerate(four) for one in group)
    assert len({one for group in four for one in group}) == 12


def test_of_a_runtime_that_does_not_say_so_an_answer_of_full_length_did_not_end(scripted):
    lm = scripted()
    lm.generate = lambda prompts, *_, **__: [
        "two words",
        "now four words here",
        Generated("x", 9, finished=True),
    ]
    made = answer(lm, Answering(max_new_tokens=4), ROWS, 1, seed=0)
    assert [(one.finished, one.tokens) for (one,) in made] == [(True, 2), (False, 4), (True, 9)]


def test_a_conversation_needs_a_chat_template():
    bare = SimpleNamespace(tokenizer=SimpleNamespace(chat_template=None))
    assert prompt_text(bare, {"prompt": "as it is"}) == "as it is"
    with pytest.raises(StepError, match="no chat template"):
        prompt_text(bare, {"prompt": [{"role": "user", "content": "x"}]})


def test_answers_are_drawn_once_though_the_step_is_killed(scripted, plain_run, model):
    run, lm = plain_run(), scripted()
    answers = lm.generate
    lm.generate = lambda *given, **named: 1 / 0 if len(lm.calls) == 2 else answers(*given, **named)
    with pytest.raises(ZeroDivisionError):
        drawn(run, Answering(chunk=1), model, ROWS, 2)
    again = scripted()
    found = drawn(run, Answering(chunk=1), model, ROWS, 2)
    assert [len(again.calls), [len(group) for group in found]] == [1, [2, 2, 2]]
    scripted()
    assert found == drawn(plain_run(), Answering(chunk=1), model, ROWS, 2)


def test_a_row_with_an_answer_is_a_prompt_and_what_is_chosen():
    asked = [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "said"}]
    assert answered({"messages": asked, "skill": "x"}) == {"prompt": asked[:1], "chosen": asked[1:]}
    assert answered({"messages": asked[1:]}) == {}
    made = answered({"prompt": "ask", "completion": "said", "answer": "s"})
    assert made == {"prompt": "ask", "chosen": "said", "answer": "s"}


def test_what_did_not_end_or_says_nothing_is_of_no_use():
    ended = [Generated(text, 1, finished=True) for text in ("yes", " ")]
    assert [usable(one) for one in (*ended, Generated("yes", 1, finished=False))] == [True, False, False]
