"""Files of every format as users have them, and the messages for files that cannot be read."""

import json

import pytest

from ptx.data import open_data
from ptx.data.read import read_text

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def test_every_broken_line_is_reported_with_file_and_line(tmp_path, refused):
    path = tmp_path / "my.jsonl"
    path.write_text('{"text": "a"}\n\n{"text": b}\n[1]\n{}\n')
    message = refused(lambda: open_data("x", path))
    assert "file my.jsonl line 3: not JSON: Expecting value" in message
    assert "file my.jsonl line 4: not an object but a list, got [1]" in message
    assert "file my.jsonl line 5: an empty row" in message


def test_an_empty_file_a_missing_one_and_an_unknown_ending_are_refused(tmp_path, opened, refused):
    assert "holds no rows" in refused(lambda: opened(tmp_path))
    assert "beside it: my.jsonl" in refused(lambda: open_data("x", tmp_path / "your.jsonl"))
    (tmp_path / "my.xml").write_text("x")
    assert ".jsonl, .ndjson, .json, .csv" in refused(lambda: open_data("x", tmp_path / "my.xml"))
    (tmp_path / "nul.csv").write_bytes(b'text\n"a\n')
    assert "unexpected end of data" in refused(lambda: open_data("x", tmp_path / "nul.csv"))


@pytest.mark.parametrize("ending", ["json", "csv", "parquet", "wrapped.json"])
def test_the_other_formats_hold_the_same_rows(tmp_path, ending):
    rows = [
        {"prompt": "a,\n", "completion": "b", "label": True},
        {"prompt": "c", "completion": "d", "label": False},
    ]
    path = tmp_path / f"my.{ending}"
    if ending == "csv":
        path.write_text('prompt,completion,label\n"a,\n",b,True\nc,d,false\n')
    elif ending == "parquet":
        pa = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(json.dumps({"data": rows} if "wrapped" in ending else rows))
    assert open_data("x", path).rows("thumbs") == rows


def test_messages_survive_a_csv_file(tmp_path):
    cell = json.dumps(TURNS).replace('"', '""')
    (tmp_path / "my.csv").write_text(f'messages\n"{cell}"\n')
    assert open_data("x", tmp_path / "my.csv").rows("messages") == [{"messages": TURNS}]


def test_the_content_decides_whether_json_is_lines_or_a_list(tmp_path):
    (tmp_path / "my.json").write_text('{"text": "a"}\n{"text": "b"}\n')
    assert [record.place for record in open_data("x", tmp_path / "my.json").located("text")] == [
        "file my.json line 1",
        "file my.json line 2",
    ]
    (tmp_path / "my.jsonl").write_text('[{"text": "a"},\n {"text": "b"}]')
    assert open_data("x", tmp_path / "my.jsonl").located("text")[1].place == "file my.jsonl row 2"


def test_a_parquet_file_that_was_cut_is_refused(tmp_path, refused):
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    assert "not parquet" in refused(lambda: open_data("x", tmp_path / "cut.parquet"))


@pytest.mark.parametrize(
    ("text", "pieces", "note"),
    [
        ("one\n\ntwo<|endoftext|>three\n", ["one\n\ntwo", "three"], "<|endoftext|>"),
        ("one\nmore\n \ntwo\n", ["one\nmore", "two"], "blank lines"),
        ("one\ntwo\n", ["one", "two"], "one row per line"),
    ],
)
def test_plain_text_is_divided_by_the_widest_separator_it_has_and_says_so(tmp_path, text, pieces, note):
    (tmp_path / "my.txt").write_text(text)
    data = open_data("x", tmp_path / "my.txt")
    assert [row["text"] for row in data.rows("text")] == pieces
    assert note in data.describe("text")
    assert data.located("text")[0].line == 1


def test_a_train_file_beside_files_of_shapes_is_not_passed_over_in_silence(tmp_path, write_rows, refused):
    write_rows(tmp_path / "pairs.jsonl", {"prompt": "a", "chosen": "b", "rejected": "c"})
    write_rows(tmp_path / "train.jsonl", {"text": "a"})
    assert "holds files named by shape (pairs.jsonl) and train.jsonl" in refused(
        lambda: open_data("mine", tmp_path)
    )


def test_a_download_from_the_hub_is_its_train_shards(tmp_path, write_rows):
    write_rows(tmp_path / "data" / "train-00000-of-00002.jsonl", {"text": "a"})
    write_rows(tmp_path / "data" / "train-00001-of-00002.jsonl", {"text": "b"})
    write_rows(tmp_path / "data" / "test-00000-of-00001.jsonl", {"text": "c"})
    (tmp_path / "dataset_info.json").write_text("{}")
    assert [row["text"] for row in open_data("x", tmp_path).rows("text")] == ["a", "b"]
    assert open_data("x", tmp_path).tasks is None


def test_a_folder_that_leaves_a_choice_asks(tmp_path, write_rows, refused):
    write_rows(tmp_path / "a.jsonl", {"text": "a"})
    assert open_data("x", tmp_path).rows("text") == [{"text": "a"}]
    write_rows(tmp_path / "b.jsonl", {"text": "b"})
    assert "type data=" in refused(lambda: open_data("x", tmp_path))
    write_rows(tmp_path / "train.jsonl", {"text": "t"})
    assert open_data("x", tmp_path).rows("text") == [{"text": "t"}]


def test_a_whole_text_is_read_as_rows_are(tmp_path, refused):
    path = tmp_path / "my.txt"
    path.write_bytes("Grüße.\r\nUnd Küsse.".encode("cp1252"))
    assert read_text(path) == "Grüße.\nUnd Küsse."
    assert "file none.txt: cannot be read: No such file" in refused(lambda: read_text(tmp_path / "none.txt"))


def test_a_file_that_one_may_not_read_is_refused_with_the_command_that_allows_it(
    tmp_path, refused, monkeypatch
):
    path = tmp_path / "my.jsonl"
    path.write_text('{"text": "a"}\n')

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ptx.data.read.first_guess", forbidden)
    assert f"you may not read it; chmod u+r {path}" in refused(lambda: open_data("x", path))
