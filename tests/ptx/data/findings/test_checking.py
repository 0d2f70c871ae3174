"""Mistakes in data that can be read: each one found before training, with file and line."""

import json

import pytest

from ptx.data import check, open_data

ASK = {"role": "user", "content": "hi"}
SAY = {"role": "assistant", "content": "hello"}
LONG = "What is the capital of France?"

MISTAKES = [
    (
        "messages",
        {"messages": [ASK, {"role": "asistant", "content": "hello"}]},
        "unknown role, got 'asistant'; did you mean 'assistant'?",
    ),
    ("messages", {"messages": [ASK, SAY, ASK]}, "the last message is the user's"),
    (
        "messages",
        {"messages": [ASK, {"role": "assistant", "content": ""}]},
        "the last assistant message is empty",
    ),
    ("messages", {"messages": [ASK, {"role": "assistant", "content": 3}]}, "content that is not text, got 3"),
    (
        "messages",
        {"messages": [{"role": "user", "content": " "}, SAY]},
        "a user's message in messages is empty",
    ),
    ("completions", {"prompt": "", "completion": "b"}, "prompt is empty"),
    ("completions", {"prompt": "a", "completion": " "}, "completion is empty"),
    ("completions", {"prompt": "a", "completion": 7}, "completion must be text, got 7"),
    ("pairs", {"prompt": "a", "chosen": "b", "rejected": "b"}, "chosen and rejected are identical"),
    ("pairs", {"prompt": "a", "chosen": "", "rejected": "b"}, "chosen is empty"),
    (
        "pairs",
        {"prompt": LONG, "chosen": LONG + " Paris", "rejected": "Rome"},
        "the prompt is repeated inside chosen only",
    ),
    (
        "pairs",
        {"prompt": LONG, "chosen": "Paris", "rejected": LONG + " Rome"},
        "the prompt is repeated inside rejected only",
    ),
    (
        "pairs",
        {"prompt": [ASK], "chosen": [ASK, SAY], "rejected": [SAY]},
        "chosen begins with the user's message",
    ),
    (
        "pairs",
        {"prompt": [ASK], "chosen": [{"role": "assistant", "content": ""}], "rejected": [SAY]},
        "the reply in chosen is empty",
    ),
    ("prompts", {"prompt": "a", "answer": ["4"]}, "answer must be text or a number, got ['4']"),
    ("prompts", {"prompt": "a", "answer": " "}, "answer is empty"),
    ("prompts", {"prompt": "a", "answer": float("inf")}, "answer must be text or a number, got inf"),
    ("completions", {"prompt": "a", "completion": "\u200b\ufeff"}, "completion is empty"),
    ("pairs", {"prompt": "a", "chosen": "b", "rejected": " b\n"}, "chosen and rejected are identical"),
    ("text", {"text": "  "}, "text is empty"),
]


def checked(tmp_path, shape, *rows):
    path = tmp_path / "my.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    problems, notes = check(open_data("./my.jsonl", path), shape)
    return problems, [note.what for note in notes]


@pytest.mark.parametrize(("shape", "row", "message"), MISTAKES, ids=[message for _, _, message in MISTAKES])
def test_a_row_that_cannot_teach_what_was_meant_is_a_problem_with_its_line(tmp_path, shape, row, message):
    good = dict(
        zip(row, ({"messages": [ASK, SAY]} if shape == "messages" else SOUND[shape]).values(), strict=True)
    )
    problems, _ = checked(tmp_path, shape, good, row)
    assert any("file my.jsonl line 2" in str(problem) and message in str(problem) for problem in problems)


SOUND = {
    "completions": {"prompt": "a", "completion": "b"},
    "pairs": {"prompt": "a", "chosen": "b", "rejected": "c"},
    "thumbs": {"prompt": "a", "completion": "b", "label": True},
    "prompts": {"prompt": "a", "answer": "4"},
    "safety": {"prompt": "a", "harmful": True},
    "text": {"text": "a"},
}


@pytest.mark.parametrize("shape", [shape for shape in SOUND if shape != "thumbs"])
def test_sound_rows_give_no_problem_and_no_warning(tmp_path, shape):
    assert checked(tmp_path, shape, SOUND[shape]) == ([], [])


def test_equal_mistakes_are_reported_once_and_counted(tmp_path):
    same = {"prompt": "a", "chosen": "b", "rejected": "b"}
    problems, _ = checked(tmp_path, "pairs", SOUND["pairs"], same, same, same)
    assert [problem.what for problem in problems] == [
        "file my.jsonl line 2: chosen and rejected are identical (and 2 more of 4 rows: lines 3, 4)"
    ]


def test_thumbs_of_one_label_are_refused_and_unbalanced_ones_warned_about(tmp_path):
    rows = [{"prompt": f"{i}", "completion": f"b {i}", "label": True} for i in range(20)]
    problems, _ = checked(tmp_path, "thumbs", *rows)
    assert "all 20 labels of ./my.jsonl are true" in str(problems[0])
    problems, warnings = checked(
        tmp_path, "thumbs", *rows, {"prompt": "z", "completion": "b", "label": False}
    )
    assert problems == []
    assert warnings == ["the labels are unbalanced: 20 true, 1 false"]


def test_answers_must_be_there_for_all_prompts_or_for_none(tmp_path):
    problems, _ = checked(tmp_path, "prompts", {"prompt": "a"}, {"prompt": "b"})
    assert problems == []
    path = tmp_path / "rows.jsonl"
    turns = [{"messages": [ASK, SAY]}, {"messages": [ASK]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in turns))
    problems, _ = check(open_data("x", path), "prompts")
    assert "file rows.jsonl line 2: answer is missing (in 1 of 2 rows)" in str(problems[0])


def test_many_repeated_rows_are_a_warning_with_the_first_line(tmp_path):
    problems, warnings = checked(tmp_path, "text", {"text": "a"}, {"text": "b"}, {"text": "a"})
    assert problems == []
    assert warnings == ["1 of 3 rows repeat an earlier one; the first is file my.jsonl line 3"]


def test_conversations_for_calibration_may_end_with_anyone(tmp_path):
    assert checked(tmp_path, "calibration", {"messages": [ASK]})[0] == []


def test_texts_and_message_lists_do_not_mix(tmp_path):
    rows = [{"prompt": "a", "answer": "4"}, {"prompt": [ASK], "answer": "5"}]
    assert "some prompts of ./my.jsonl are texts and others message lists" in str(
        checked(tmp_path, "prompts", *rows)[0][0]
    )
