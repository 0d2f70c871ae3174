"""The words of ptx data: everything that is wrong with them is said at once."""

import pytest

ROWS = [{"prompt": "a", "completion": "b"}]


def test_all_that_is_wrong_is_said_at_once(data):
    code, said = data("split", "tst=3", "near=x")
    assert code == 2
    for line in (
        "no word 'tst=3'; did you mean 'test'?",
        "near must be a number, got 'x'",
        "out= is missing",
        "nothing to read; type ptx data split data=./my.jsonl",
    ):
        assert line in said


def test_the_data_words_of_every_command_work_here(data, written):
    rows = [*({"q": f"question {n}", "a": str(n)} for n in range(5)), {"q": "no answer", "a": None}]
    words = ("data.columns.prompt=q", "data.columns.completion=a", "to=messages", "out=./new.jsonl")
    assert "data.bad=drop leaves this row out" in data("convert", *words, rows=rows)[1]
    assert data("convert", *words, "data.bad=drop", rows=rows)[0] == 0
    assert len(written("new.jsonl")) == 5


@pytest.mark.parametrize("verb", ["convert", "split", "pairs"])
def test_help_lists_the_words_with_their_defaults(data, verb, capsys):
    with pytest.raises(SystemExit) as ended:
        data(verb, "--help")
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "out=..." in said
    assert f"ptx data {verb} data=" in said
