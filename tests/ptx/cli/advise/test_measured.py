"""ptx advise --measure: the pass rate of a model's own answers, and how much prompts help."""

from __future__ import annotations

import json

import pytest

from ptx.cli import main
from ptx.cli.advise.measured import difficulty_of, pass_rate_of

NAN = float("nan")


def test_the_pass_rate_is_the_mean_over_prompts_with_its_interval():
    said = pass_rate_of([[1.0] * 8, [0.0] * 8, [1.0, 0.0] * 4] * 4)
    assert said.startswith("pass rate of 8 answers to each of 12 prompts: 50% [")
    assert "4 of 12 prompts have right and wrong answers, and GRPO learns from those" in said


def test_the_interval_grows_as_prompts_are_fewer():
    few, many = (pass_rate_of([[1.0] * 8, [0.0] * 8, [1.0, 0.0] * 4] * n) for n in (2, 40))
    assert width(few) > 3 * width(many)


def width(said):
    low, high = said.partition("[")[2].partition("]")[0].replace("%", "").split(", ")
    return float(high) - float(low)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ([[0.0] * 8] * 40, "GRPO would learn next to nothing. Train with method=sft first"),
        ([[1.0] * 8] * 40, "there is next to nothing to learn. Take harder prompts"),
        ([[NAN] * 8] * 3, "no answer could be scored"),
        ([[NAN, 1.0], [0.0, 1.0]] * 10, "pass rate of 8 answers to each of 20 prompts: 75%"),
    ],
)
def test_what_follows_from_the_pass_rate(groups, said):
    assert said in pass_rate_of(groups)


def test_replies_that_their_prompts_make_less_likely_are_counted():
    assert (
        difficulty_of([0.5, 0.7, 0.9])
        == "IFD of 3 replies: 0.70 in the median; each prompt helps to predict its reply"
    )
    assert "above 1 in 1 of 3" in difficulty_of([0.5, 0.7, 1.2])
    assert "make=select make.by=ifd" in difficulty_of([1.2])


@pytest.fixture
def advised(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run(rows, *words):
        (tmp_path / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        code = main(["advise", "data=./my.jsonl", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


SUMS = [{"prompt": f"What is {n} + 3?", "answer": str(n + 3)} for n in range(2, 8)]


@pytest.mark.slow  # opens the embedded model, and samples
def test_both_are_measured_on_the_embedded_model(advised):
    code, out, _ = advised(SUMS, "model=tiny", "--measure", "6", "--json")
    (said,) = json.loads(out)["measured"]
    assert code == 0
    assert said.startswith("pass rate of 8 answers to each of 6 prompts: ")
    chats = [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["answer"]},
            ]
        }
        for row in SUMS
    ]
    out = advised(chats, "model=tiny", "--measure", "6")[1]
    assert "measured: IFD of 6 replies: " in out


def test_it_needs_a_model_and_a_number(advised):
    assert advised(SUMS, "--measure")[2] == "ptx: --measure needs a model; add model=./my-folder\n"
    code, _, err = advised(SUMS, "model=tiny", "--measure", "-3")
    assert (code, "--measure -3 asks for no rows" in err) == (2, True)


def test_without_the_option_nothing_is_opened_and_the_grpo_command_is_one_that_runs(advised):
    code, out, _ = advised(SUMS * 7, "model=tiny", "--json")
    said = json.loads(out)
    assert (code, said["measured"]) == (0, [])
    assert [way["refused"] for way in said["ways"]] == [[], []]
    assert "method=grpo 'method.rewards=[answer]' lora=lora" in said["ways"][1]["command"]
