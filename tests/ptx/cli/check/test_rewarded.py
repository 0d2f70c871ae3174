"""``ptx check --rewards``: what a model's own answers earn, and where all to a prompt earn the same."""

from __future__ import annotations

import json

import pytest

from ptx.cli import main
from ptx.cli.check.rewarded import told
from ptx.cli.sampled import Sampling
from ptx.data.records import Record

NAN = float("nan")
HOW = Sampling(samples=4, rewards={"answer": 1.0, "regex": 0.2})


def looked(*groups):
    records = [Record("my.jsonl", line, {"prompt": "?"}) for line in range(1, len(groups) + 1)]
    return told(records, groups, HOW)


def test_prompts_whose_answers_all_earn_the_same_are_a_finding_with_their_lines():
    said, (found,) = looked([0.0] * 4, [1.2] * 4, [0.0, 1.0, 0.0, 0.2])
    assert said == ["rewards (answer + regex) of 4 answers to each of 3 prompts: 0 to 1.2, 0.5 in the mean"]
    assert found.what == "2 of 3 prompts: all 4 answers earn the same reward (answer + regex)"
    assert (found.name, found.rows) == ("equal-rewards", 2)
    assert found.places == ("file my.jsonl line 1", "file my.jsonl line 2")


def test_half_of_the_prompts_may_be_all_right_or_all_wrong():
    assert looked([0.0] * 4, [0.0, 1.0] * 2)[1] == []


def test_an_answer_without_a_score_earns_no_more_than_a_wrong_one():
    said, found = looked([0.0, NAN, NAN, 0.0], [NAN] * 4, [1.0] * 4)
    assert [one.rows for one in found] == [3]
    assert said[0].endswith("0 to 1, 0.667 in the mean, 6 of 12 answers could not be scored")
    assert looked([1.0, NAN, 1.0, 1.0], [0.0, 1.0] * 2)[1] == []


def test_nothing_is_made_up_where_no_prompt_leaves_room_or_no_answer_is_scored():
    assert looked(None, None) == (
        ["rewards (answer + regex): every prompt leaves too little room for an answer"],
        [],
    )
    said, found = looked([NAN] * 4)
    assert said[0].endswith("prompts: 4 of 4 answers could not be scored")
    assert [one.rows for one in found] == [1]


@pytest.fixture
def checked(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(rows, *words):
        (tmp_path / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        code = main(["check", "data=./my.jsonl", *words])
        return code, *capsys.readouterr()

    return run


SUMS = [{"prompt": f"What is {n} + 3?", "answer": "zebra"} for n in range(2, 5)]


@pytest.mark.slow  # opens the embedded model, and samples
def test_answers_are_sampled_and_scored_as_the_method_would(checked):
    words = ["model=tiny", "method=grpo", "method.rewards=[answer]", "method.num_generations=4"]
    words += ["method.batch_size=12"]  # three prompts
    code, out, _ = checked(SUMS, *words, "--rewards", "2", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["rewards"][0] == (
        "rewards (answer) of 4 answers to each of 2 prompts: 0 to 0, 0 in the mean"
    )
    assert [one["rows"] for one in facts["findings"] if one["name"] == "equal-rewards"] == [2]
    waived = checked(SUMS, *words, "check.allow=[equal-rewards]", "--rewards", "2")[1]
    assert "rewards (answer) of 4 answers" in waived
    assert "[equal-rewards]" not in waived


@pytest.mark.parametrize(
    ("rows", "words", "said"),
    [
        (SUMS, ["--rewards"], "--rewards needs data and a model; add data=./my.jsonl model=./my-folder"),
        (SUMS, ["model=tiny", "--rewards", "-2"], "--rewards -2 asks for no prompts; try --rewards 32"),
        (
            [{"text": "a line of text"}],
            ["model=tiny", "--rewards"],
            "--rewards needs prompts; give rows with",
        ),
    ],
)
def test_what_it_needs_is_said_before_the_model_is_opened(checked, rows, words, said):
    code, _, err = checked(rows, *words)
    assert (code, said in err) == (2, True)
