import json

import pytest

from ptx_judge.questions import files, load, problems, question


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Why?"},
        {"question": "Why?"},
        {"instruction": "Why?", "input": ""},
        {"question_id": 1, "category": "generic", "turns": ["Why?"]},
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]},
        {"instruction": "", "input": "Why?"},
    ],
)
def test_a_question_is_found_in_the_shapes_that_files_have(row):
    assert question(row).text == "Why?"


def test_an_input_stands_below_its_instruction():
    assert question({"instruction": "Translate.", "input": "Hund"}).text == "Translate.\n\nHund"


def test_references_and_segments_are_kept():
    found = question({"prompt": "1 + 1?", "answer": 2, "category": "maths", "key": "x"})
    assert (found.reference, found.segments) == ("2", {"category": "maths"})


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"text": "Why?"},
        {"prompt": " "},
        {"turns": ["a", "b"]},
        {"turns": []},
        {"messages": []},
        {"messages": [3]},
    ],
)
def test_what_is_no_single_question_is_refused(row):
    with pytest.raises(ValueError, match=r"must|no prompt"):
        question(row)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_limit_takes_the_same_questions_whatever_the_order_of_the_files(tmp_path):
    rows = [{"prompt": f"Number {n}?"} for n in range(50)]
    one, other = write(tmp_path / "a.jsonl", rows), write(tmp_path / "b.jsonl", rows[::-1])
    assert load([one])[:10] == load([other, one])[:10]
    assert len(load([one, other])) == 50


def test_a_folder_of_tasks_gives_its_open_questions(tmp_path):
    write(tmp_path / "open.jsonl", [{"prompt": "Why?"}])
    write(tmp_path / "choices.jsonl", [{"prompt": "Which?", "choices": ["a", "b"], "gold": 0}])
    (tmp_path / "open.yaml").write_text("task: open")
    assert [path.name for path in files([str(tmp_path)])] == ["choices.jsonl", "open.jsonl"]
    assert [one.text for one in load([str(tmp_path)])] == ["Why?"]


def test_problems_name_file_and_line(tmp_path):
    bad = write(tmp_path / "bad.jsonl", [{"prompt": "Why?"}, {"turns": ["a", "b"]}])
    (tmp_path / "broken.json").write_text("[")
    (tmp_path / "empty").mkdir()
    found = [
        str(problem)
        for problem in problems(
            [bad, str(tmp_path / "broken.json"), str(tmp_path / "empty"), "nowhere.jsonl"]
        )
    ]
    assert len(found) == 4
    assert any("bad.jsonl line 2: turns must hold one turn of the user, got 2" in text for text in found)
    assert any("no file or folder nowhere.jsonl" in text for text in found)
