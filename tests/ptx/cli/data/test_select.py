"""``ptx data select``: the rows that make=select keeps, as a file."""

from ptx.cli.data.select import Select, words_of

STORY = "Janet has sixteen ducks that lay eggs, and she sells nine of them at the market every day"
ROWS = [
    {"prompt": "What does Janet do?", "completion": STORY},
    {"prompt": "What does Janet do?", "completion": f"{STORY}."},
    {"prompt": "Name a colour of the sky.", "completion": "It is blue."},
]


def test_duplicates_are_dropped_and_the_rest_is_written(data, written):
    code, said = data("select", "by=exact", "out=./fewer.jsonl", rows=ROWS)
    assert code == 0, said
    assert [row["completion"] for row in written("fewer.jsonl")] == [STORY, "It is blue."]
    assert "wrote fewer.jsonl: 2 rows of 3" in said


def test_the_rules_of_the_plugin_hold_before_anything_is_run(data, tmp_path):
    code, said = data("select", "by=difficulty", "out=./fewer.jsonl", rows=ROWS)
    assert code == 2
    assert "make.by must be one of random, length" in said
    assert not (tmp_path / "ptx-out").exists()


def test_only_what_is_set_is_typed():
    assert words_of(Select(out="a.jsonl")) == ["make=select", "make.by=minhash", "model=tiny", "seed=0"]
    typed = words_of(Select(out="a.jsonl", by="overlap", count=5, against="./test.jsonl"))
    assert {"make.by=overlap", "make.count=5", "make.against=[./test.jsonl]"} <= {*typed}
