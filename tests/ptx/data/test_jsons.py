"""JSON in every layout that programs write rows in."""

import json

import pytest

from ptx.data import open_data

ROWS = [{"prompt": "a?", "completion": "b."}, {"prompt": "c?", "completion": "d."}]
TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
LAYOUTS = {
    "lines": "\n".join(map(json.dumps, ROWS)),
    "lines with blank ones": "\n\n" + "\r\n\r\n".join(map(json.dumps, ROWS)) + "\n",
    "a list": json.dumps(ROWS),
    "a list over lines": json.dumps(ROWS, indent=2),
    "one object behind the other": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "under data": json.dumps({"version": "1", "data": ROWS}),
    "splits": json.dumps({"train": ROWS, "test": [{"prompt": "e?", "completion": "f."}]}),
    "by column": json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}),
    "pandas by row": json.dumps({str(number): row for number, row in enumerate(ROWS)}),
    "the hub's viewer": json.dumps(
        {"features": [{"name": "a"}], "rows": [{"row_idx": n, "row": row} for n, row in enumerate(ROWS)]}
    ),
    "pandas": json.dumps({name: {"0": ROWS[0][name], "1": ROWS[1][name]} for name in ROWS[0]}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ending", ["json", "jsonl", "ndjson"])
def test_the_rows_are_found_whatever_the_file_is_called(tmp_path, layout, ending):
    path = tmp_path / f"my.{ending}"
    path.write_bytes(LAYOUTS[layout].encode())
    assert open_data("x", path).rows("completions") == ROWS


def test_a_file_with_one_row_of_lists_is_one_row(tmp_path):
    for row in (
        {"messages": TURNS},
        {"chosen": TURNS, "rejected": [TURNS[0], {**TURNS[1], "content": "no"}]},
    ):
        path = tmp_path / "my.jsonl"
        path.write_text(json.dumps(row))
        assert len(open_data("x", path).located(open_data("x", path).shapes[0])) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"text": "a"}\n{"text": b}\n',
            'line 2: not JSON: Expecting value, got ...{"text": b}... at column',
        ),
        ('{"text": b}\n{"text": "a"}\n', "line 1: not JSON: Expecting value"),
        ('{"text": "a"}\n{"text": "b"\n', "line 2: not JSON: Expecting ',' delimiter"),
        ('{"text": "a"}\n[1]\n', "line 2: not an object but a list, got [1]"),
        ('[{"text": "a"},\n {"text": b}]', "line 2: not JSON: Expecting value at column"),
        ('[{"text": "a"}, 7]', "row 2: not an object but a int, got 7"),
        ('{"text": "a"}\n{"text": "b", "text": "c"}\n', "line 2: the key 'text' stands twice in one object"),
        ('[{"text": "b", "text": "c"}]', "the key 'text' stands twice in one object"),
        ('{"text": "a"}\n{"text": ' + "[" * 100_000, "line 2: the JSON is nested too deeply"),
        (
            '{"text": "a"}\n{"text": ' + "7" * 5000 + "}",
            "line 2: not JSON that can be read: Exceeds the limit",
        ),
        (
            '{"text": "a"},\n{"text": "b"},\n',
            "line 1: a comma behind the object (and 1 more of 2 rows: line 2)",
        ),
        ('{"text": "a"}\n{}\n', "line 2: an empty row"),
        ('"a"', "row 1: not an object but a str, got a"),
        ("", "holds no rows"),
        ("[]", "holds no rows"),
        ("\n \n", "holds no rows"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path, refused, text, message):
    path = tmp_path / "my.jsonl"
    path.write_text(text)
    assert message in refused(lambda: open_data("x", path))


def test_four_hundred_broken_lines_are_one_finding(tmp_path, refused):
    path = tmp_path / "my.jsonl"
    path.write_text("".join(f'{{"text": {number}x}}\n' for number in range(400)))
    message = refused(lambda: open_data("x", path))
    assert len(message.splitlines()) == 1
    assert "(and 399 more of 400 rows: lines 2, 3, 4, ...)" in message
