"""From a path to an opened data choice: named columns, families, and every problem at once."""

import json
import subprocess
import sys

from ptx.data import open_data

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def test_named_columns_and_a_named_shape_settle_an_ambiguity(tmp_path, opened, refused):
    both = {"prompt": "a", "completion": "b", "harmful": False}
    assert "data.shape=completions or data.shape=safety" in refused(lambda: opened(tmp_path, both))
    assert opened(tmp_path, both, shape="safety").rows("safety")[0]["harmful"] is False
    two = {"problem": "p", "solution": "s", "answer": "a"}
    assert "data.columns.completion=answer or data.columns.completion=solution" in refused(
        lambda: opened(tmp_path, two)
    )
    row = opened(tmp_path, two, columns={"completion": "solution"}).rows("completions")[0]
    assert row == {"prompt": "p", "completion": "s", "answer": "a"}
    assert opened(tmp_path, two, columns={"completion": "solution"}).rows("prompts") == [
        {"prompt": "p", "answer": "a"}
    ]


def test_pairs_beside_conversations_give_both_and_each_step_takes_what_it_needs(tmp_path, opened):
    """UltraFeedback's columns: ``messages`` is the chosen conversation."""
    row = {
        "prompt": "hi",
        "chosen": TURNS,
        "rejected": [TURNS[0], {**TURNS[1], "content": "go"}],
        "messages": TURNS,
    }
    data = opened(tmp_path, {**row, "score_chosen": 8.0})
    assert data.rows("messages")[0]["messages"] == TURNS
    assert data.rows("pairs")[0]["prompt"] == TURNS[:1]
    assert opened(tmp_path, row, shape="messages").shapes == ("messages", "prompts", "calibration")


def test_columns_can_be_swapped(tmp_path, opened):
    row = {"prompt": "a", "chosen": "b", "rejected": "c"}
    swapped = opened(tmp_path, row, columns={"chosen": "rejected", "rejected": "chosen"}).rows("pairs")
    assert swapped == [{"prompt": "a", "chosen": "c", "rejected": "b"}]


def test_unknown_columns_are_answered_with_what_to_type(tmp_path, opened, refused):
    assert "data.columns.prompt=promt" in refused(lambda: opened(tmp_path, {"promt": "a", "completion": "b"}))
    assert "did you mean 'question'?" in refused(
        lambda: opened(tmp_path, {"question": "a", "answer": "b"}, columns={"prompt": "qestion"})
    )
    assert "did you mean 'prompt'?" in refused(
        lambda: opened(tmp_path, {"question": "a"}, columns={"prompts": "question"})
    )
    assert "try data.shape=pairs" in refused(lambda: opened(tmp_path, {"text": "a"}, shape="pair"))
    assert "data.limit must be at least 1, got 0" in refused(lambda: opened(tmp_path, {"text": "a"}, limit=0))


def test_rows_that_lack_a_column_are_reported_with_their_line_and_counted(tmp_path, opened, refused):
    rows = [{"prompt": "a", "completion": "b"}, {"prompt": "a"}, {"prompt": "a", "completion": None}]
    message = refused(lambda: opened(tmp_path, *rows))
    assert "file my.jsonl line 2: column completion is missing" in message
    assert "file my.jsonl line 3: column completion is empty (null)" in message
    many = refused(lambda: opened(tmp_path, rows[0], *[rows[1]] * 40))
    assert "(and 39 more of 41 rows: lines 3, 4, 5, ...)" in many
    assert len(many.splitlines()) == 1


def test_rows_behind_the_limit_are_not_read(tmp_path):
    path = tmp_path / "my.jsonl"
    path.write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n' * 3 + "broken\n")
    data = open_data("x", path, limit=3)
    assert [len(data.rows(shape)) for shape in ("pairs", "thumbs")] == [3, 3]


def test_a_folder_of_shapes_is_a_family_in_which_files_win_over_derivations(tmp_path, write_rows):
    write_rows(tmp_path / "pairs.jsonl", {"prompt": "a", "chosen": "b", "rejected": "c"})
    write_rows(tmp_path / "messages.jsonl", {"messages": TURNS})
    write_rows(tmp_path / "prompts.jsonl", {"question": "q", "answer": "4"})
    (tmp_path / "calibration.txt").write_text("some text\n")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "t.yaml").write_text("task: t\n")
    data = open_data("mine", tmp_path)
    assert data.shapes == ("messages", "pairs", "thumbs", "prompts", "calibration")
    assert data.rows("prompts") == [{"prompt": "q", "answer": "4"}]
    assert data.rows("calibration") == [{"text": "some text"}]
    assert len(data.rows("thumbs")) == 2
    assert data.tasks == tmp_path / "tasks"


def test_a_file_of_a_family_that_is_not_what_its_name_says_is_refused(tmp_path, write_rows, refused):
    write_rows(tmp_path / "pairs.jsonl", {"text": "a"})
    message = refused(lambda: open_data("mine", tmp_path))
    assert "the columns of pairs.jsonl cannot be read as pairs: text" in message


def test_opening_data_loads_no_ml_library(tmp_path, write_rows):
    path = write_rows(tmp_path / "my.jsonl", {"text": "a"})
    code = (
        "import sys, pathlib; from ptx.data import open_data; open_data('x',"
        f" pathlib.Path({str(path)!r})).rows('text'); print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert not {"torch", "datasets", "transformers", "pyarrow", "numpy"} & set(loaded.stdout.split())


SAID = (("user", "When?"), ("assistant", "Where are you?"), ("assistant", "At nine."))


def test_pairs_of_when2call_have_messages_and_two_replies_and_their_tools(tmp_path):
    tool = {"name": "now", "description": "the time", "parameters": {}}
    asked, good, bad = ({"role": role, "content": text} for role, text in SAID)
    row = {
        "tools": [json.dumps(tool)],
        "messages": [asked],
        "chosen_response": good,
        "rejected_response": bad,
    }
    file = tmp_path / "when2call.jsonl"
    file.write_text(json.dumps(row))
    (made,) = open_data("when2call", file).rows("pairs")
    assert (made["prompt"], made["chosen"], made["rejected"]) == ([asked], [good], [bad])
    assert [one["function"]["name"] for one in made["tools"]] == ["now"]
