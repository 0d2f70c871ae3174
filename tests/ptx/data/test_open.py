"""Files as users have them: what is recognised, how it is converted, and what an unreadable one is told."""

import json
import subprocess
import sys

import pytest

from ptx.data import open_data
from ptx.errors import ConfigError

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def opened(tmp_path, *rows, **options):
    return open_data("./my.jsonl", write(tmp_path / "my.jsonl", *rows), **options)


def refused(call):
    with pytest.raises(ConfigError) as caught:
        call()
    return str(caught.value)


FORMS = [
    ({"messages": TURNS}, "messages", {"messages": TURNS}),
    ({"prompt": "a", "completion": "b"}, "completions", {"prompt": "a", "completion": "b"}),
    ({"instruction": "a", "input": "", "output": "b"}, "completions", {"prompt": "a", "completion": "b"}),
    (
        {"instruction": "a", "input": "x", "output": "b"},
        "completions",
        {"prompt": "a\n\nx", "completion": "b"},
    ),
    (
        {"instruction": "a", "context": "x", "response": "b"},
        "completions",
        {"prompt": "a\n\nx", "completion": "b"},
    ),
    ({"question": "a", "answer": "b"}, "completions", {"prompt": "a", "completion": "b"}),
    ({"query": "a", "response": "b"}, "completions", {"prompt": "a", "completion": "b"}),
    (
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]},
        "messages",
        {"messages": TURNS},
    ),
    ({"conversations": TURNS}, "messages", {"messages": TURNS}),
    ({"prompt": TURNS[:1], "completion": TURNS[1:]}, "messages", {"messages": TURNS}),
    (
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        "pairs",
        {"prompt": "a", "chosen": "b", "rejected": "c"},
    ),
    (
        {"prompt": "a", "completion": "b", "label": True},
        "thumbs",
        {"prompt": "a", "completion": "b", "label": True},
    ),
    ({"prompt": "a", "answer": "b"}, "prompts", {"prompt": "a", "answer": "b"}),
    ({"prompt": "a"}, "prompts", {"prompt": "a", "answer": None}),
    ({"prompt": "a", "harmful": False}, "safety", {"prompt": "a", "harmful": False}),
    ({"text": "a"}, "text", {"text": "a"}),
]


@pytest.mark.parametrize(
    ("row", "shape", "canonical"),
    FORMS,
    ids=lambda value: "/".join(value) if isinstance(value, dict) else value,
)
def test_the_common_layouts_become_canonical_rows(tmp_path, row, shape, canonical):
    assert opened(tmp_path, row).rows(shape) == [canonical]


def test_columns_that_no_shape_uses_are_kept_and_named(tmp_path):
    data = opened(tmp_path, {"question": "a", "answer": "b", "skill": "sums"})
    assert data.rows("completions") == [{"prompt": "a", "completion": "b", "skill": "sums"}]
    assert (
        data.describe("prompts") == "1 row: question/answer → completions → prompts (further columns: skill)"
    )


def test_a_system_column_becomes_the_first_message(tmp_path):
    system = {"role": "system", "content": "be kind"}
    assert opened(tmp_path, {"system": "be kind", "question": "hi", "answer": "hello"}).rows("messages") == [
        {"messages": [system, *TURNS]}
    ]
    pair = opened(
        tmp_path, {"system": "be kind", "question": "hi", "chosen": "hello", "rejected": "go"}
    ).rows("pairs")[0]
    assert pair["prompt"] == [system, TURNS[0]]
    assert pair["chosen"] == [TURNS[1]]


def test_pairs_of_full_conversations_are_split_where_they_part(tmp_path):
    other = {"role": "assistant", "content": "go away"}
    expected = [{"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": [other]}]
    for prompt in ({}, {"prompt": "hi"}, {"prompt": TURNS[:1]}):
        assert (
            opened(tmp_path, {**prompt, "chosen": TURNS, "rejected": [TURNS[0], other]}).rows("pairs")
            == expected
        )


def test_preferences_in_sharegpt_form_are_pairs(tmp_path):
    asked = [{"from": "human", "value": "hi"}]
    row = {
        "conversations": asked,
        "chosen": {"from": "gpt", "value": "hello"},
        "rejected": {"from": "gpt", "value": "no"},
    }
    assert opened(tmp_path, row).rows("pairs") == [
        {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": [{**TURNS[1], "content": "no"}]}
    ]


def test_pairs_of_texts_that_repeat_the_prompt_in_every_row_lose_it(tmp_path):
    rows = [{"prompt": f"q{i}?", "chosen": f"q{i}? yes", "rejected": f"q{i}? no"} for i in range(3)]
    assert opened(tmp_path, *rows).rows("pairs")[2] == {"prompt": "q2?", "chosen": " yes", "rejected": " no"}
    assert (
        opened(tmp_path, *rows, {"prompt": "z", "chosen": "yes", "rejected": "no"}).rows("pairs")[2]
        == rows[2]
    )


def test_dialogues_as_text_are_split_at_the_last_common_assistant_mark(tmp_path):
    lead = "\n\nHuman: hi\n\nAssistant: hm\n\nHuman: well?\n\nAssistant:"
    row = {"chosen": lead + " hello", "rejected": lead + " go"}
    assert opened(tmp_path, row).rows("pairs") == [{"prompt": lead, "chosen": " hello", "rejected": " go"}]
    assert "no prompt column" in refused(lambda: opened(tmp_path, {"chosen": "hello", "rejected": "help"}))


def test_what_follows_without_a_guess_is_derived_and_nothing_else(tmp_path):
    assert opened(tmp_path, {"messages": TURNS}).rows("prompts") == [{"prompt": TURNS[:1], "answer": "hello"}]
    pairs = opened(tmp_path, {"prompt": "a", "chosen": "b", "rejected": "c"})
    assert pairs.rows("thumbs") == [
        {"prompt": "a", "completion": "b", "label": True},
        {"prompt": "a", "completion": "c", "label": False},
    ]
    assert pairs.rows("calibration") == [{"text": "a\nb"}]
    assert pairs.shapes == ("pairs", "thumbs", "calibration")


def test_every_shape_can_calibrate(tmp_path):
    for row, _, _ in FORMS:
        assert opened(tmp_path, row).rows("calibration")[0].keys() <= {"text", "messages"}


def test_a_mismatch_says_what_the_data_is_what_it_fits_and_what_is_missing(tmp_path):
    fits = {"messages": ["method=sft"], "prompts": ["method=grpo"]}
    told = refused(lambda: opened(tmp_path, {"messages": TURNS}).require(["pairs"], "method=dpo", fits))
    assert "method=dpo needs pairs (columns prompt, chosen, rejected)" in told
    assert "./my.jsonl holds messages (column messages), which fits method=sft, method=grpo" in told
    assert "missing: chosen, rejected; " in told
    assert opened(tmp_path, {"messages": TURNS}).require(["pairs", "messages"], "x") == "messages"


def test_named_columns_and_a_named_shape_settle_what_cannot_be_told(tmp_path):
    both = {"prompt": "a", "chosen": "b", "rejected": "c", "messages": TURNS}
    assert "data.shape=messages or data.shape=pairs" in refused(lambda: opened(tmp_path, both))
    assert opened(tmp_path, both, shape="messages").rows("messages")[0]["messages"] == TURNS
    two = {"problem": "p", "solution": "s", "answer": "a"}
    assert "data.columns.completion=answer or data.columns.completion=solution" in refused(
        lambda: opened(tmp_path, two)
    )
    row = opened(tmp_path, two, columns={"completion": "solution"}).rows("completions")[0]
    assert row == {"prompt": "p", "completion": "s", "answer": "a"}
    assert opened(tmp_path, two, columns={"completion": "solution"}).rows("prompts") == [
        {"prompt": "p", "answer": "a"}
    ]


def test_columns_can_be_swapped(tmp_path):
    row = {"prompt": "a", "chosen": "b", "rejected": "c"}
    swapped = opened(tmp_path, row, columns={"chosen": "rejected", "rejected": "chosen"}).rows("pairs")
    assert swapped == [{"prompt": "a", "chosen": "c", "rejected": "b"}]


def test_unknown_columns_are_answered_with_what_to_type(tmp_path):
    assert "data.columns.prompt=promt" in refused(lambda: opened(tmp_path, {"promt": "a", "completion": "b"}))
    assert "did you mean 'question'?" in refused(
        lambda: opened(tmp_path, {"question": "a", "answer": "b"}, columns={"prompt": "qestion"})
    )
    assert "did you mean 'prompt'?" in refused(
        lambda: opened(tmp_path, {"question": "a"}, columns={"prompts": "question"})
    )
    assert "did you mean 'pairs'?" in refused(lambda: opened(tmp_path, {"text": "a"}, shape="pair"))
    assert "data.limit must be at least 1, got 0" in refused(lambda: opened(tmp_path, {"text": "a"}, limit=0))


def test_every_broken_line_is_reported_with_file_and_line(tmp_path):
    path = tmp_path / "my.jsonl"
    path.write_text('{"text": "a"}\n\n{"text": b}\n[1]\n{}\n')
    told = refused(lambda: open_data("x", path))
    assert "file my.jsonl line 3: not JSON: Expecting value" in told
    assert "file my.jsonl line 4: a list, not an object" in told
    assert "file my.jsonl line 5: an empty row" in told


def test_rows_that_lack_a_column_are_reported_with_their_line_and_counted(tmp_path):
    rows = [{"prompt": "a", "completion": "b"}, {"prompt": "a"}, {"prompt": "a", "completion": None}]
    told = refused(lambda: opened(tmp_path, *rows))
    assert "file my.jsonl line 2: column completion is missing" in told
    assert "file my.jsonl line 3: column completion is empty (null)" in told
    many = refused(lambda: opened(tmp_path, rows[0], *[rows[1]] * 40))
    assert "(and 35 more rows)" in many
    assert len(many.splitlines()) == 5


def test_an_empty_file_a_missing_one_and_an_unknown_ending_are_refused(tmp_path):
    assert "holds no rows" in refused(lambda: opened(tmp_path))
    assert "beside it: my.jsonl" in refused(lambda: open_data("x", tmp_path / "your.jsonl"))
    (tmp_path / "my.xml").write_text("x")
    assert ".jsonl, .json, .csv, .parquet, .txt" in refused(lambda: open_data("x", tmp_path / "my.xml"))
    (tmp_path / "nul.csv").write_bytes(b'text\n"a\n')
    assert "unexpected end of data" in refused(lambda: open_data("x", tmp_path / "nul.csv"))
    (tmp_path / "latin.jsonl").write_bytes(b'{"text": "\xe9"}')
    assert "not UTF-8 at byte 10" in refused(lambda: open_data("x", tmp_path / "latin.jsonl"))


def test_rows_behind_the_limit_are_not_read(tmp_path):
    path = tmp_path / "my.jsonl"
    path.write_text('{"prompt": "a", "chosen": "b", "rejected": "c"}\n' * 3 + "broken\n")
    data = open_data("x", path, limit=3)
    assert [len(data.rows(shape)) for shape in ("pairs", "thumbs")] == [3, 3]


def test_the_digest_is_that_of_the_rows_used_and_not_of_the_file(tmp_path):
    rows = [{"prompt": f"{i}", "completion": "b"} for i in range(4)]
    first = opened(tmp_path, *rows, limit=2)
    (tmp_path / "other").mkdir()
    assert opened(tmp_path / "other", *rows[:2]).digest("completions") == first.digest("completions")
    assert opened(tmp_path, *rows).digest("completions") != first.digest("completions")
    assert first.digest("prompts") != first.digest("completions")


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


def test_json_lines_called_json_are_told_so(tmp_path):
    (tmp_path / "my.json").write_text('{"text": "a"}\n{"text": "b"}\n')
    assert "rename it to my.jsonl" in refused(lambda: open_data("x", tmp_path / "my.json"))
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


def test_a_folder_of_shapes_is_a_family_in_which_files_win_over_derivations(tmp_path):
    write(tmp_path / "pairs.jsonl", {"prompt": "a", "chosen": "b", "rejected": "c"})
    write(tmp_path / "messages.jsonl", {"messages": TURNS})
    write(tmp_path / "prompts.jsonl", {"question": "q", "answer": "4"})
    (tmp_path / "calibration.txt").write_text("some text\n")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "t.yaml").write_text("task: t\n")
    data = open_data("mine", tmp_path)
    assert data.shapes == ("messages", "pairs", "thumbs", "prompts", "calibration")
    assert data.rows("prompts") == [{"prompt": "q", "answer": "4"}]
    assert data.rows("calibration") == [{"text": "some text"}]
    assert len(data.rows("thumbs")) == 2
    assert data.tasks == tmp_path / "tasks"


def test_a_train_file_beside_files_of_shapes_is_not_passed_over_in_silence(tmp_path):
    write(tmp_path / "pairs.jsonl", {"prompt": "a", "chosen": "b", "rejected": "c"})
    write(tmp_path / "train.jsonl", {"text": "a"})
    assert "holds files named by shape (pairs.jsonl) and train.jsonl" in refused(
        lambda: open_data("mine", tmp_path)
    )


def test_a_file_of_a_family_that_is_not_what_its_name_says_is_refused(tmp_path):
    write(tmp_path / "pairs.jsonl", {"text": "a"})
    told = refused(lambda: open_data("mine", tmp_path))
    assert "the columns of pairs.jsonl cannot be read as pairs: text" in told


def test_a_download_from_the_hub_is_its_train_shards(tmp_path):
    write(tmp_path / "data" / "train-00000-of-00002.jsonl", {"text": "a"})
    write(tmp_path / "data" / "train-00001-of-00002.jsonl", {"text": "b"})
    write(tmp_path / "data" / "test-00000-of-00001.jsonl", {"text": "c"})
    (tmp_path / "dataset_info.json").write_text("{}")
    assert [row["text"] for row in open_data("x", tmp_path).rows("text")] == ["a", "b"]
    assert open_data("x", tmp_path).tasks is None


def test_a_folder_that_leaves_a_choice_asks(tmp_path):
    write(tmp_path / "a.jsonl", {"text": "a"})
    assert open_data("x", tmp_path).rows("text") == [{"text": "a"}]
    write(tmp_path / "b.jsonl", {"text": "b"})
    assert "type data=" in refused(lambda: open_data("x", tmp_path))
    write(tmp_path / "train.jsonl", {"text": "t"})
    assert open_data("x", tmp_path).rows("text") == [{"text": "t"}]


def test_opening_data_loads_no_ml_library(tmp_path):
    path = write(tmp_path / "my.jsonl", {"text": "a"})
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
