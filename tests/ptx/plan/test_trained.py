"""Rows as tokens: ids and trained tokens are those that training uses."""

import json
from pathlib import Path

import pytest

import ptx_tiny
from ptx.data import open_data
from ptx.plan.trained import CUT, TRAINED, shown_rows

TINY = Path(ptx_tiny.__file__).parent / "model"
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Add 16 and 36."},
    {"role": "assistant", "content": "The answer is 52.", "weight": 0},
    {"role": "user", "content": "Größer: 3 oder 4?"},
    {"role": "assistant", "content": "Die Antwort ist 4."},
]
ROWS = {
    "messages": {"messages": TALK},
    "completions": {"prompt": "Add 1 and 1.", "completion": "The answer is 2."},
    "text": {"text": "Once upon a time."},
}


class Cut:
    max_length = 12


@pytest.fixture
def data_of(tmp_path):
    def data_of(row):
        (tmp_path / "my.jsonl").write_text(json.dumps(row) + "\n")
        return open_data("x", tmp_path / "my.jsonl")

    return data_of


@pytest.mark.parametrize("shape", ROWS)
@pytest.mark.parametrize("answers_only", [True, False])
def test_ids_and_trained_tokens_are_those_of_training(data_of, shape, answers_only):
    from ptx.lm.load import load_tokenizer
    from ptx.lm.training.inspection import MASKED
    from ptx.lm.training.tokens import token_rows

    class Method:
        assistant_only = answers_only

    data = data_of(ROWS[shape])
    (shown,) = shown_rows(data, shape, TINY, Method, 1)
    (row,) = token_rows(shape, data.rows(shape), load_tokenizer(TINY), answers_only=answers_only)
    assert [token for _, token, _ in shown.tokens] == row["input_ids"].tolist()
    assert [fate == TRAINED for fate, _, _ in shown.tokens] == (row["labels"] != MASKED).tolist()


def test_the_pieces_give_the_whole_text_and_what_is_trained_of_it(data_of):
    (shown,) = shown_rows(data_of(ROWS["messages"]), "messages", TINY, None, 1)
    trained = [text for fate, text in shown.pieces() if fate == TRAINED]
    assert trained == ["Die Antwort ist 4.<|end|>"]
    assert "Größer: 3 oder 4?" in "".join(text for _, text in shown.pieces())


def test_both_sides_of_a_pair_are_shown_and_their_prompt_is_read(data_of):
    row = {"prompt": "Add 1 and 1.", "chosen": "It is 2.", "rejected": "No idea."}
    found = shown_rows(data_of(row), "pairs", TINY, None, 1)
    assert [one.part for one in found] == ["chosen", "rejected"]
    assert [one.pieces()[-1] for one in found] == [(TRAINED, "It is 2.<|end|>"), (TRAINED, "No idea.<|end|>")]


def test_tokens_behind_the_limit_are_cut(data_of):
    (shown,) = shown_rows(data_of(ROWS["completions"]), "completions", TINY, Cut, 1)
    assert shown.count(CUT) == len(shown.tokens) - Cut.max_length
    assert shown.pieces()[-1][0] == CUT
