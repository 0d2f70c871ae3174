"""Mistakes that only all rows together show."""

import pytest

from ptx.data import check, open_data

LONG = "The answer is that nobody knows it for certain."


def pairs(number, **changes):
    row = {"prompt": f"Question {number}?", "chosen": f"Good {number}.", "rejected": f"Bad {number}."}
    return {**row, **changes}


def answers(number, **changes):
    return {"prompt": f"Question {number}?", "completion": f"Answer {number}.", **changes}


MISTAKES = {
    "1 of 3 rows repeat an earlier one; the first is file my.jsonl line 3": [
        answers(1),
        answers(2),
        answers(1),
    ],
    "line 2: prefers what an earlier row rejects": [pairs(1), pairs(1, chosen="Bad 1.", rejected="Good 1.")],
    "chosen is more than twice as long in 30 of 30 pairs": [pairs(n, chosen="Good. " * 9) for n in range(30)],
    "rejected is more than twice as long in 30 of 30": [pairs(n, rejected="Bad. " * 9) for n in range(30)],
    "line 1: score_chosen is less than score_rejected: the sides may be swapped (and 3 more": [
        pairs(n, score_chosen=2.0, score_rejected=8.5) for n in range(4)
    ],
    "1 of 1 pairs repeat the prompt in chosen and in rejected": [
        {"prompt": LONG, "chosen": f"{LONG} Yes.", "rejected": f" {LONG} No."}
    ],
    "line 2: the same reply to the same prompt has both labels": [
        {**answers(1), "label": True},
        {**answers(1), "label": False},
    ],
    "the labels are unbalanced: 1 true, 12 false": [{**answers(n), "label": n == 3} for n in range(13)],
    "5 of 5 rows have the same reply: 'Yes.'": [answers(n, completion="Yes.") for n in range(5)],
    "6 of 10 rows have the same reply: 'The answer is that": [
        answers(n, **({"completion": LONG} if n < 6 else {})) for n in range(10)
    ],
    "the reply ends in the middle at 120 characters": [
        answers(n, completion=(f"{n} and so on " * 20)[:120] if n > 3 else "Yes.") for n in range(9)
    ],
    "all 20 rows have the same prompt: 'Go on.'": [answers(n, prompt="Go on.") for n in range(20)],
    "6 of 6 replies end with a question mark, and 0 prompts": [
        answers(n, prompt=f"Paris {n}", completion=f"What is capital {n}?") for n in range(6)
    ],
    "line 1: the prompt holds its own answer": [
        {"prompt": "What is 6 * 7? Answer: 42", "answer": "42"},
        {"prompt": "What is 2 * 2?", "answer": "4"},
    ],
    "line 2: an earlier row has the same prompt and another answer": [
        {"prompt": "What is 6 * 7?", "answer": "42"},
        {"prompt": "What is 6 * 7?", "answer": "43"},
    ],
    "all 6 prompts are harmful: refusals of harmless ones": [
        {"prompt": f"{n}?", "harmful": 1} for n in range(6)
    ],
    "line 1: score_chosen and score_rejected are equal: the row prefers nothing (and 3 more": [
        pairs(n, score_chosen=2.0, score_rejected=2.0) for n in range(4)
    ],
    "the prompts have no answers": [{"prompt": "Write a poem."}],
}


@pytest.fixture
def found_in(write_rows, tmp_path):
    def found_in(rows, **options):
        data = open_data("x", write_rows(tmp_path / "my.jsonl", *rows), **options)
        problems, notes = check(data, next(shape for shape in data.shapes if data.located(shape)))
        return problems, [str(note) for note in notes]

    return found_in


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_of_all_rows_is_a_note(found_in, message):
    problems, notes = found_in(MISTAKES[message])
    assert problems == []
    assert [note for note in notes if message in note]


def test_sound_rows_give_no_note(found_in):
    assert found_in([answers(n) for n in range(30)]) == ([], [])
    assert found_in([pairs(n, score_chosen=9, score_rejected=n % 9) for n in range(30)]) == ([], [])
    assert found_in([{**answers(n), "label": n % 2 == 0} for n in range(30)]) == ([], [])
    assert found_in([{"prompt": f"Pick: a, b or {n}", "answer": f"{n}"} for n in range(30)]) == ([], [])
    assert found_in([answers(n, completion="yes" if n % 3 else "no") for n in range(30)]) == ([], [])


def test_the_words_before_a_call_of_a_tool_are_no_reply(found_in):
    def call(number):
        called = {"type": "function", "function": {"name": "search", "arguments": {"query": f"{number}"}}}
        said = {"role": "assistant", "content": "I will look for it at once.", "tool_calls": [called]}
        return {"messages": [{"role": "user", "content": f"Find {number}, please."}, said]}

    assert [note for note in found_in([call(n) for n in range(30)])[1] if "same reply" in note] == []


def test_the_swap_that_a_note_advises_cures_what_it_found(found_in):
    rows = [pairs(n, score_chosen=2.0, score_rejected=8.5) for n in range(4)]
    (note,) = found_in(rows)[1]
    words = dict(word.removeprefix("data.columns.").split("=") for word in note.split() if "=" in word)
    assert words == {"chosen": "rejected", "rejected": "chosen"}
    rows = [{"question": f"Paris {n}", "answer": f"What is capital {n}?"} for n in range(6)]
    (note,) = found_in(rows)[1]
    words = dict(word.removeprefix("data.columns.").split("=") for word in note.split() if "=" in word)
    assert found_in(rows, columns=words) == ([], [])


def test_pairs_that_are_marked_as_ties_are_noted(tmp_path, opened):
    for mark in ({"status": "tie"}, {"tie": True}):
        row = {"prompt": "q", "chosen": "a", "rejected": "b", **mark}
        noted = check(opened(tmp_path, row), "pairs")[1]
        assert [note.name for note in noted] == ["equal-scores"]
        assert "the row is marked as a tie" in noted[0].what
