import json

import pytest

from ptx_reliability import EMBEDDED, Reliability
from ptx_reliability.questions import problems, read_questions


def test_the_embedded_questions_serve_every_part_and_are_held_out():
    from ptx_tiny.data import messages

    questions = read_questions(EMBEDDED)
    assert problems(Reliability()) == []
    trained = {turn["content"] for row in messages() for turn in row["messages"]}
    assert not trained & {question.turns[-1]["content"] for question in questions}
    parts = (
        [question for question in questions if question.cites],
        [question for question in questions if not question.answerable],
    )
    assert [len(part) for part in parts] == [12, 12]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"answer": 3}, "prompt must be text or messages"),
        ({"prompt": "q", "answer": [3]}, "answer must be text or a number"),
        ({"prompt": "q", "schema": {"type": "nothing"}}, "schema is not a JSON schema"),
        ({"prompt": "q", "pattern": "("}, "pattern: '(' is no regular expression"),
        (
            {"prompt": "q", "sources": ["a"], "cites": ["2"]},
            "cites names '2', which is not one of the sources 1",
        ),
        (
            {"prompt": "q", "instruction_id_list": ["punctuation:no_coma"], "kwargs": [{}]},
            "did you mean 'punctuation:no_comma'",
        ),
        (
            {"prompt": "q", "instruction_id_list": ["punctuation:no_comma"]},
            "kwargs must be a list with one object for each",
        ),
        ({"prompt": "q", "answerable": "no"}, "answerable must be true or false"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_by_line(tmp_path, row, said):
    (tmp_path / "q.jsonl").write_text(
        json.dumps({"prompt": "fine", "answer": 1}) + "\n" + json.dumps(row) + "\n"
    )
    (problem,) = problems(Reliability(questions=[str(tmp_path / "q.jsonl")]))
    assert said in problem.what
    assert "q.jsonl line 2:" in problem.what


def test_all_wrong_rows_are_said_at_once_and_rows_that_check_nothing_too(tmp_path):
    (tmp_path / "q.jsonl").write_text('{"answer": 1}\nno json\n')
    assert len(problems(Reliability(questions=[str(tmp_path / "q.jsonl")]))) == 2
    (tmp_path / "q.jsonl").write_text('{"prompt": "hello"}\n')
    assert "nothing can be checked" in problems(Reliability(questions=[str(tmp_path / "q.jsonl")]))[0].what
    assert problems(Reliability(questions=["nowhere.jsonl"]))
