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
def files(tmp_path):
    for number, row in enumerate(ROWS):
        (tmp_path / f"held-{number}.jsonl").write_text(json.dumps(row) + "\n")
    return [str(tmp_path / "held-0.jsonl"), str(tmp_path / "held-1.jsonl")]


def test_prompts_are_turns_and_answers_are_texts(files):
    first, second = read_pairs("eval.reward.pairs", files, None)
    assert first["prompt"] == [{"role": "user", "content": "why?"}]
    assert [turn["role"] for turn in second["prompt"]] == ["system", "user"]
    assert [(row["chosen"], row["rejected"]) for row in (first, second)] == [("so", "no")] * 2
    assert first["skill"] == "talk"
    assert len(read_pairs("eval.reward.pairs", files, 1)) == 2


def test_what_holds_no_pairs_is_said(files, tmp_path):
    assert pair_problems("eval.reward.pairs", files, None) == []
    (empty,) = pair_problems("eval.reward.pairs", [], None)
    assert "eval.reward.pairs is empty" in str(empty)
    (missing,) = pair_problems("eval.reward.pairs", ["./none.jsonl"], None)
    assert "no file or folder ./none.jsonl" in str(missing)
    text = tmp_path / "text.jsonl"
    text.write_text('{"text": "a"}\n')
    assert pair_problems("eval.reward.pairs", [str(text)], None)
