"""A file that a plugin reads may have every format of data, and its faults are said at once."""

import bz2
import csv
import gzip
import io
import json
import os

import pyarrow as pa
import pytest
from pyarrow import parquet

from ptx import ConfigError
from ptx.data.rows import made_of, rows_of

ROWS = [{"prompt": "Wie groß ist ein Häuschen?", "answer": "klein"}, {"prompt": "Was?", "answer": "nichts"}]


def lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def cells(rows, separator):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


#: ending -> what writes the rows
WRITTEN = {
    "a.jsonl": lambda rows: lines(rows).encode(),
    "bom.jsonl": lambda rows: lines(rows).encode("utf-8-sig"),
    "wide.jsonl": lambda rows: lines(rows).encode("utf-16"),
    "list.json": lambda rows: json.dumps(rows).encode(),
    "within.json": lambda rows: json.dumps({"about": "x", "completions": rows}).encode(),
    "a.jsonl.gz": lambda rows: gzip.compress(lines(rows).encode()),
    "a.csv.bz2": lambda rows: bz2.compress(cells(rows, ",").encode()),
    "a.csv": lambda rows: cells(rows, ";").encode("utf-16"),
    "a.tsv": lambda rows: cells(rows, "\t").encode(),
}


def questions_of_reliability(path):
    from ptx_reliability.questions import read_questions

    return [(one.turns[-1]["content"], one.answer) for one in read_questions(path)]


def questions_of_the_judge(path):
    from ptx_judge.questions import read

    return [(one.text, one.reference) for one in read(path)]


def stored_replies(path):
    from ptx_safety.stored import read_stored

    return [(one.prompt.text, one.reply) for one in read_stored(path)]


def requests(path):
    from ptx_safety.prompts import read_prompts

    return [(one.text, one.target) for one in read_prompts(path)]


def verdicts(path):
    from ptx_judge.verdicts import load

    return [(one.question, one.answers[0]) for one in load(path)[2]]


#: a reader of a plugin -> what its rows have in place of ``answer``, and beside
READERS = {
    questions_of_reliability: ("answer", {}),
    questions_of_the_judge: ("answer", {}),
    stored_replies: ("response", {}),
    requests: ("target", {"harmful": "true"}),
    verdicts: ("response1", {"response2": "b", "annotator1": "2"}),
}


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", [*WRITTEN, "a.parquet"])
def test_every_plugin_reads_every_format(tmp_path, read, name):
    column, beside = READERS[read]
    rows = [{"prompt": row["prompt"], column: row["answer"], **beside} for row in ROWS]
    if name.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(WRITTEN[name](rows))
    assert read(tmp_path / name) == [(row["prompt"], row["answer"]) for row in ROWS]


def refuse_short(record):
    if len(record.row["prompt"]) < 3:
        raise ValueError(f"too short, got {record.row['prompt']!r}")
    return record.row["prompt"]


def test_every_wrong_row_is_counted_in_one_finding_of_its_kind(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(lines([{"prompt": text} for text in ("long", "a", "long", "b")]))
    with pytest.raises(ConfigError) as raised:
        made_of(file, refuse_short, "write more")
    (problem,) = raised.value.problems
    assert problem.what == "file a.jsonl line 2: too short, got 'a' (and 1 more of 4 rows: line 4)"
    assert problem.fix == "write more"


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_file_of_rows_is_refused_in_words(tmp_path, read):
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04rest")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "a"}\n' * 999)[:40])
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "list.jsonl").write_text("[1, 2]\n")
    for name, said in (
        ("pipe.jsonl", "it is a pipe"),
        ("a.xlsx", "save it in the spreadsheet as CSV"),
        ("cut.jsonl.gz", "it ends before its content does"),
        ("empty.jsonl", "holds no rows"),
        ("list.jsonl", "not an object but a int"),
    ):
        with pytest.raises(ConfigError, match=said):
            read(tmp_path / name)


def test_a_missing_file_stays_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        rows_of(tmp_path / "nowhere.jsonl")
