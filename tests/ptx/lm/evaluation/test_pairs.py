"""Held-out pairs, read as data for training is."""

import json

import pytest

from ptx.lm.evaluation.pairs import pair_problems, read_pairs

ROWS = [
    {"prompt": "why?", "chosen": "so", "rejected": "no", "skill": "talk"},
    {
        "prompt": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "why?"}],
        "chosen": [{"role": "assistant", "content": "so"}],
        "rejected": [{"role": "assistant", "content": "no"}],
    },
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "held.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return str(path)


def test_prompts_are_turns_and_answers_are_texts(file):
    first, second = read_pairs("eval.reward.pairs", [file], None)
    assert first["prompt"] == [{"role": "user", "content": "why?"}]
    assert [turn["role"] for turn in second["prompt"]] == ["system", "user"]
    assert [(row["chosen"], row["rejected"]) for row in (first, second)] == [("so", "no")] * 2
    assert first["skill"] == "talk"
    assert len(read_pairs("eval.reward.pairs", [file], 1)) == 1


def test_what_holds_no_pairs_is_said(file, tmp_path):
    assert pair_problems("eval.reward.pairs", [file], None) == []
    (empty,) = pair_problems("eval.reward.pairs", [], None)
    assert "eval.reward.pairs is empty" in str(empty)
    (missing,) = pair_problems("eval.reward.pairs", ["./none.jsonl"], None)
    assert "no file or folder ./none.jsonl" in str(missing)
    text = tmp_path / "text.jsonl"
    text.write_text('{"text": "a"}\n')
    assert pair_problems("eval.reward.pairs", [str(text)], None)
