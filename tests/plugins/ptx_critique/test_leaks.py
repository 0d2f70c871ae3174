"""What a model says around its revision is cut off; what is an answer stays as it is."""

from __future__ import annotations

import pytest

from ptx_critique.leaks import cleaned, leaks


@pytest.mark.parametrize(
    "said",
    [
        "Sure! Here is the revised answer:\n\nTake a walk.",
        "**Revised response:** Take a walk.",
        'Here\'s a rewritten version of my previous answer: "Take a walk."',
        "Revision: Take a walk.",
        "Okay, here is my improved answer to your question:\nTake a walk.",
        "Critique: the answer was rude.\nIt mocked.\n\nRevised answer: Take a walk.",
        "Take a walk.\n\nNote: I removed the harmful part.",
        "Take a walk.\n\n(I have rewritten the answer so that it is safe.)",
        "Assistant: Take a walk.",
    ],
)
def test_what_stands_around_a_revision_is_cut_off(said):
    assert cleaned(said) == "Take a walk."


@pytest.mark.parametrize(
    "said",
    [
        "Take a walk.",
        "Here are some safer options: walking, reading",
        "Here is a message you can send:\nHi!",
        "Drink water.\n\nNote: ask a doctor first.",
        "I changed my mind.\n\nI like tea.",
        "The new version of Python: fast",
        'He said "no" and "yes"',
        "Step 1: boil. Step 2: wait.",
        "Ein Spaziergang hilft.",
    ],
)
def test_an_answer_stays_as_it_is(said):
    assert cleaned(said) == said


def test_words_of_the_critique_leak_unless_they_come_from_the_answer_or_the_prompt():
    critique = "The answer says that one two three four five six seven is fine."
    repeats = "It says that one two three four five six seven is fine, which is wrong."
    assert leaks(repeats, (critique,), ())
    assert not leaks(repeats, (critique,), ("somebody says that one two three four five six seven is fine",))
    assert not leaks("One two three.", (critique,), ())
