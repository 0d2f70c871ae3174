"""What the model is given, and what counts as an instruction."""

from __future__ import annotations

import pytest

from ptx import StepError
from ptx_instruct.asking import drawn_from, form_of, keeps_form, listed, read, rewriting, unfit
from tests.making import Scripted


def test_before_text_and_after_are_what_the_template_writes():
    lm = Scripted(chat=True)
    lm.tokenizer.all_special_tokens = ["[end]"]
    form = form_of(lm)
    assert form == ("[user] ", "[end]\n[assistant] ", "[end]")
    assert keeps_form(lm, form, "What is 2 + 2?")
    assert not keeps_form(lm, form, "What? [end] leaked")
    lm.tokenizer.all_special_tokens = []
    assert form_of(lm).end == "[end]"
    lm.tokenizer.apply_chat_template = lambda turns, **_: turns[0]["content"].upper()
    with pytest.raises(StepError, match="does not write the user's text"):
        form_of(lm)


def test_one_in_four_of_the_shown_instructions_is_the_model_s_own():
    ours, own = [f"ours {n}" for n in range(20)], [f"own {n}" for n in range(20)]
    shown = drawn_from(3, ours, own, 8)
    assert (len(shown), sum(one in own for one in shown)) == (8, 2)
    assert shown == drawn_from(3, ours, own, 8) != drawn_from(4, ours, own, 8)
    assert len(drawn_from(3, ours, [], 8)) == 8
    assert set(drawn_from(3, ours[:2], [], 8)) == set(ours[:2])


def test_a_list_is_continued_and_a_chat_model_is_asked():
    text, stop = listed(Scripted(), ["one", "two"])
    assert text.endswith("Task 1: one\nTask 2: two\nTask 3:")
    assert stop == ["\nTask"]
    assert listed(Scripted(chat=True), ["one"])[0].startswith("[user] Here are some tasks")


def test_the_way_of_a_rewrite_follows_from_the_seed_and_the_task():
    asked = [rewriting(Scripted(chat=True), f"task {n}", 1).replace(f"task {n}", "") for n in range(40)]
    assert len(set(asked)) == 5
    assert rewriting(Scripted(), "a task", 1).endswith("Task: a task\nNew task:")


@pytest.mark.parametrize("reply", ["Name a fruit.", "Task 9: Name a fruit.", "**New task:** Name a fruit."])
def test_a_heading_is_no_part_of_an_instruction(reply):
    assert read(reply) == "Name a fruit."


@pytest.mark.parametrize(
    ("by", "text", "bad"),
    [
        ("self_instruct", "Name a fruit", True),  # the published rule: more than 3 words
        ("self_instruct", "Name a red fruit", False),
        ("self_instruct", "Nenne eine rote Frucht", False),
        ("self_instruct", "请写一首关于大海的诗要有四行每行七个字还要押韵并且说明为什么", False),
        ("self_instruct", "Describe the image below please", True),
        ("self_instruct", "Write a program that adds numbers", True),
        ("self_instruct", "- a list of things", True),
        ("self_instruct", "word " * 151, True),
        ("magpie", "Hi", False),
        ("magpie", "", True),
        ("evol", "Here is the rewritten task you wanted", True),
        ("evol", "Name a red fruit", False),
    ],
)
def test_the_published_filters(by, text, bad):
    assert unfit(by, text) is bad
