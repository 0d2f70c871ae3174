"""data.bad=drop leaves rows out that cannot be used, and says how many there were of each kind."""

import json

import pytest

from ptx.data import check, open_data

PAIRS = [{"prompt": f"question {n}", "chosen": f"yes {n}", "rejected": f"no {n}"} for n in range(20)]
THUMBS = [{"prompt": f"question {n}", "completion": f"yes {n}", "label": n % 2} for n in range(20)]


def changed(rows, **values):
    """The rows with a value changed in some: ``chosen={3: ""}``."""
    made = [dict(row) for row in rows]
    for column, by_row in values.items():
        for number, value in by_row.items():
            made[number][column] = value
    return made


@pytest.fixture
def faulty(tmp_path):
    """20 pairs, of which an answer is empty, one is null and two sides are the same; and a cut line."""
    rows = changed(PAIRS, chosen={3: "", 5: None, 7: "no 7"})
    file = tmp_path / "my.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows) + '{"prompt": "cut')
    return file


def test_bad_rows_are_left_out_and_counted_by_kind(faulty):
    data = open_data("my.jsonl", faulty, bad="drop")
    assert [row["prompt"] for row in data.rows("pairs")] == [
        row["prompt"] for n, row in enumerate(PAIRS) if n not in (3, 5, 7)
    ]
    assert check(data, "pairs") == ([], [])
    told = data.describe("pairs")
    assert "17 rows: pairs (4 rows left out by data.bad=drop: " in told
    kinds = (
        "chosen is empty",
        "column chosen is empty (null)",
        "chosen and rejected are identical",
        "not JSON",
    )
    assert all(f"1 × {kind}" in told for kind in kinds)  # noqa: RUF001


def test_what_is_left_has_the_key_of_a_file_without_the_bad_rows(tmp_path, faulty):
    clean = tmp_path / "clean.jsonl"
    clean.write_text("".join(f"{json.dumps(row)}\n" for n, row in enumerate(PAIRS) if n not in (3, 5, 7)))
    kept = open_data("my.jsonl", faulty, bad="drop").digest("pairs")
    assert kept == open_data("clean.jsonl", clean).digest("pairs")


def test_a_row_is_left_out_of_the_shapes_in_which_it_is_bad(faulty):
    """Equal sides of a pair are two good rows with a thumb each."""
    data = open_data("my.jsonl", faulty, bad="drop")
    assert len(data.rows("pairs")) == 17
    assert len(data.rows("thumbs")) == 2 * 18
    assert "3 rows left out" in data.describe("thumbs")


def test_without_the_word_the_rows_stop_the_run_and_the_word_is_offered(tmp_path, opened, refused):
    one = changed(PAIRS, chosen={5: None})
    told = refused(lambda: opened(tmp_path, *one, bad="refuse"))
    assert "line 6: column chosen is empty (null)" in told
    assert told.endswith("or data.bad=drop leaves this row out (1 of 20)")
    data = opened(tmp_path, *changed(PAIRS, chosen={3: "", 5: ""}), bad="refuse")
    assert str(check(data, "pairs")[0][0]).endswith("or data.bad=drop leaves these rows out (2 of 20)")


def test_it_is_not_offered_where_most_rows_are_bad(tmp_path, opened, refused):
    """Then the file was read wrongly, or is another one."""
    rows = changed(PAIRS, chosen=dict.fromkeys(range(12)))
    assert "data.bad" not in refused(lambda: opened(tmp_path, *rows, bad="refuse"))


def test_labels_that_are_none_are_left_out(tmp_path, opened):
    data = opened(tmp_path, *changed(THUMBS, label={4: "maybe", 9: "skip"}), bad="drop")
    assert [row["label"] for row in data.rows("thumbs")] == [n % 2 == 1 for n in range(20) if n not in (4, 9)]
    assert "2 × label must be true or false" in data.describe("thumbs")  # noqa: RUF001


def test_a_file_that_ends_too_early_is_refused(tmp_path, refused):
    """Nothing says how many rows are lost with it."""
    file = tmp_path / "my.json"
    file.write_text(json.dumps(PAIRS)[:-30])
    assert "file my.json line 1: not JSON: Unterminated string starting at column" in refused(
        lambda: open_data("my.json", file, bad="drop")
    )


def test_a_file_of_bad_rows_alone_is_refused(tmp_path, opened):
    data = opened(tmp_path, *changed(PAIRS[:3], chosen={0: "", 1: "", 2: " "}), bad="drop")
    assert [str(problem) for problem in check(data, "pairs")[0]] == [
        "./my.jsonl gives no rows of shape pairs; give it at least one"
    ]


def test_a_message_of_a_conversation_is_not_left_out(tmp_path, refused):
    lines = [
        json.dumps({"conversation_id": n // 2, "role": ("user", "assistant")[n % 2], "content": f"text {n}"})
        for n in range(8)
    ]
    file = tmp_path / "my.jsonl"
    file.write_text("\n".join([*lines[:3], lines[3][:-8], *lines[4:]]))
    assert "line 4: a message of a conversation cannot be read" in refused(
        lambda: open_data("my.jsonl", file, bad="drop")
    )


def test_another_word_is_refused(tmp_path, opened, refused):
    assert "data.bad must be refuse or drop, got 'dorp'" in refused(
        lambda: opened(tmp_path, *PAIRS, bad="dorp")
    )
