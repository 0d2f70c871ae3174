"""Answers to prompts: the first of n are those of a smaller n, and an answer that was cut is known."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ptx import StepError
from ptx.lm.serving.decoding import Generated
from ptx_make import Sample
from ptx_make.answering import answer, prompt_text

ROWS = [{"prompt": f"ask {number}"} for number in range(3)]


def test_two_answers_are_the_first_two_of_four(scripted):
    lm = scripted(lambda prompt, place, seed: f"{prompt} {seed} {place}")
    two, four = (answer(lm, Sample(n=n), ROWS, n, seed=5) for n in (2, 4))
    assert [group[:2] for group in four] == two
    assert all(one.startswith(f"ask {place} ") for place, group in enumerate(four) for one in group)
    assert len({one for group in four for one in group}) == 12


def test_of_a_runtime_that_does_not_say_so_an_answer_of_full_length_did_not_end(scripted):
    lm = scripted()
    lm.tokenizer = lambda text, add_special_tokens: {"input_ids": text.split()}
    lm.tokenizer = type("Words", (), {"__call__": lambda self, text, **_: {"input_ids": text.split()}})()
    lm.generate = lambda prompts, *_, **__: [
        "two words",
        "now four words here",
        Generated("x", 9, finished=True),
    ]
    made = answer(lm, Sample(n=1, max_new_tokens=4), ROWS, 1, seed=0)
    assert [(one.finished, one.tokens) for (one,) in made] == [(True, 2), (False, 4), (True, 9)]


def test_a_conversation_needs_a_chat_template():
    bare = SimpleNamespace(tokenizer=SimpleNamespace(chat_template=None))
    assert prompt_text(bare, {"prompt": "as it is"}) == "as it is"
    with pytest.raises(StepError, match="no chat template"):
        prompt_text(bare, {"prompt": [{"role": "user", "content": "x"}]})
