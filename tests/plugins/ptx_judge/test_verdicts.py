import json

import pytest

from ptx import ConfigError
from ptx_judge.verdicts import label_of, load

ROWS = [
    {
        "idx": n,
        "instruction": "Say something.",
        "input": "",
        "response1": "one two three",
        "response2": "go on " * 60,
        "annotator1": label,
        "annotator2": label,
    }
    for n, label in enumerate([1] * 12 + [2] * 4 + [0] * 4)
]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [{"instruction": "q", "response1": "a", "response2": "b"}],
            "must hold one file of human verdicts, found 0",
        ),
        ([{"instruction": "q", "response1": "a", "annotator1": 1}], "row 1: there is no response2"),
        (
            [{"instruction": "q", "response1": "a", "response2": "b", "annotator1": 3}],
            "must be 1, 2 or 0 .*got 3",
        ),
    ],
)
def test_files_without_verdicts_are_refused(people, rows, said):
    (people / "people.json").write_text(json.dumps(rows))
    with pytest.raises(ConfigError, match=said):
        load(people)


def test_a_split_vote_has_no_majority(people):
    rows = [{**ROWS[0], "annotator1": 1, "annotator2": 2}]
    (people / "people.json").write_text(json.dumps(rows))
    assert load(people)[2][0].majority is None


def test_a_verdict_is_read_as_number_or_word():
    assert [label_of(said) for said in (1, " 2 ", "Tie", "tie", 0, "neither")] == [
        "1",
        "2",
        "0",
        "0",
        "0",
        "neither",
    ]
