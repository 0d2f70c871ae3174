"""Where steps end, and what is made of their scores."""

import pytest

from ptx.lm.load import load_tokenizer
from ptx_process.steps import aggregate, encode, lines_of


def test_every_step_ends_at_the_last_token_of_its_separator(chat_model):
    tokenizer = load_tokenizer(chat_model)
    one = encode(tokenizer, "what?", ["a b", "c\nd"])
    assert [tokenizer.decode(one.ids[end]) for end in one.ends] == ["\n", "\n"]
    assert tokenizer.decode(one.ids[one.ends[0] + 1 :]) == "c d\n"  # a line break inside is a space
    assert encode(tokenizer, "what?", ["a b"]).ids == one.ids[: one.ends[0] + 1]
    assert (
        encode(tokenizer, [{"role": "user", "content": "what?"}], ["a b"]).ids == one.ids[: one.ends[0] + 1]
    )


def test_a_reply_has_a_step_in_every_line():
    assert lines_of("a\n\n  b \n") == ["a", "b"]
    assert lines_of(" \n") == []


def test_aggregates():
    scores = [0.9, 0.5, 0.8]
    assert aggregate(scores, "min") == 0.5
    assert aggregate(scores, "last") == 0.8
    assert aggregate(scores, "product") == pytest.approx(0.36)
