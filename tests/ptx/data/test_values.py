"""The values that formats and programs write in their own ways."""

import datetime as dt
import decimal
import json

import pytest

from ptx.data import check, open_data

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def test_nan_is_how_a_missing_value_is_written(opened, tmp_path, refused):
    data = opened(tmp_path, {"instruction": "Add.", "input": float("nan"), "output": "3"})
    assert data.rows("completions")[0]["prompt"] == "Add."
    bad = [{"prompt": "a", "completion": "b"}, {"prompt": "a", "completion": float("nan")}]
    assert "line 2: column completion is empty (null)" in refused(lambda: opened(tmp_path, *bad))


def test_the_dict_of_lists_that_datasets_makes_of_messages_is_the_list_again(opened, tmp_path):
    zipped = {"role": ["user", "assistant"], "content": ["hi", "hello"]}
    assert opened(tmp_path, {"messages": zipped}).rows("messages") == [{"messages": TURNS}]
    sharegpt = {"from": ["human", "gpt"], "value": ["hi", "hello"]}
    assert opened(tmp_path, {"conversations": sharegpt}).rows("messages") == [{"messages": TURNS}]
    sides = {
        "chosen": zipped,
        "rejected": {"role": ["user", "assistant"], "content": ["hi", "go away"]},
    }
    assert opened(tmp_path, sides).rows("pairs")[0]["prompt"] == TURNS[:1]


def test_messages_that_were_written_as_text_are_messages(opened, tmp_path):
    assert opened(tmp_path, {"messages": json.dumps(TURNS)}).rows("messages") == [{"messages": TURNS}]
    assert opened(tmp_path, {"messages": str(TURNS)}).rows("messages") == [{"messages": TURNS}]
    assert opened(tmp_path, {"text": json.dumps(TURNS)}).rows("text") == [{"text": json.dumps(TURNS)}]


def test_half_a_surrogate_pair_is_refused_with_its_line_and_a_whole_one_is_read(tmp_path, refused):
    path = tmp_path / "my.jsonl"
    path.write_text('{"text": "hi \\ud83d\\ude00"}\n')
    assert open_data("x", path).rows("text") == [{"text": "hi 😀"}]
    path.write_text('{"text": "a"}\n{"text": "hi \\ud83d there"}\n{"text": "\\ude00"}\n')
    message = refused(lambda: open_data("x", path))
    assert (
        "line 2: column text holds half a surrogate pair (half an emoji), got 'hi \\\\ud83d there'" in message
    )
    assert "(and 1 more of 3 rows: line 3)" in message
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "\ud83d"}]}))
    assert "column messages holds half" in refused(lambda: open_data("x", path))


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_columns_of_types_that_json_lacks_do_not_stop_the_rows_beside_them(tmp_path, ending):
    import pyarrow as pa
    from pyarrow import parquet

    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    table = pa.table(
        {
            "prompt": ["a?", "c?"],
            "completion": ["b.", "d."],
            "at": pa.array([moment, None], pa.timestamp("us", tz="UTC")),
            "day": [moment.date()] * 2,
            "price": [decimal.Decimal("1.50")] * 2,
            "raw": [b"\x89PNG\xff"] * 2,
            "score": [float("nan"), float("inf")],
            "meta": [{"b": b"\x00", "when": moment}] * 2,
            "map": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
        }
    )
    path = tmp_path / f"my.{ending}"
    if ending == "parquet":
        parquet.write_table(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    data = open_data("x", path)
    row = data.rows("completions")[0]
    assert (row["prompt"], row["completion"]) == ("a?", "b.")
    assert (row["at"], row["day"], row["price"]) == ("2024-01-01T00:00:00+00:00", "2024-01-01", "1.50")
    assert row["score"] is None
    assert check(data, "completions") == ([], [])
    assert len(data.digest("completions")) == 64


def test_numbers_bytes_and_lists_in_place_of_texts_are_refused_by_kind(opened, tmp_path):
    rows = [{"prompt": f"a {n}", "completion": n} for n in range(400)] + [{"prompt": "a", "completion": [1]}]
    data = opened(tmp_path, *rows[:400])
    (problem,) = check(data, "completions")[0]
    assert problem.what == (
        "file my.jsonl line 1: completion must be text, got 0 (and 399 more of 400 rows: lines 2, 3, 4, ...)"
    )
    assert check(data, "calibration")[0] == [problem]
