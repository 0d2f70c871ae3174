"""What a message about unknown columns proposes can be read."""

import re

import pytest

from ptx.data.guessing import guesses, that_fit
from ptx.data.records import Record, Table

CHAT = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
UNKNOWN = {
    "ShareGPT's dump": ({"id": "x", "items": CHAT}, {"messages": "items"}),
    "two conversations without a verdict": (
        {"conversation_a": CHAT, "conversation_b": CHAT},
        {"messages": "conversation_a"},
    ),
    "two replies without a verdict": (
        {"post_id": "x" * 90, "history": "Why?", "human_ref_A": "So it is.", "human_ref_B": "No."},
        {"prompt": "history", "completion": "human_ref_A"},
    ),
    "Cohere": (
        {"message": "q", "chat_history": CHAT, "response": "a"},
        {"prompt": "message", "completion": "response"},
    ),
    "a reply to a conversation": (
        {"context": CHAT[:1], "response": "so"},
        {"prompt": "context"},
    ),
    "FLAN": (
        {"inputs": "q", "targets": "a", "task": "t" * 90},
        {"prompt": "inputs", "completion": "targets"},
    ),
    "a question beside a text": ({"question": "q", "reply": "a"}, {"completion": "reply"}),
    "one text": ({"id": 3, "body": "words"}, {"text": "body"}),
    "tokens": ({"input_ids": [1, 2], "labels": [1, 2]}, {}),
    "segments": ({"segments": [{"label": True, "text": "a"}]}, {}),
    "translations": ({"translation": {"en": "a", "de": "b"}}, {}),
    "names of models": ({"models": ["a", "b"], "completions": [{"response": "a"}]}, {}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_columns_are_proposed_only_where_the_rows_can_be_read_by_them(name, opened, refused, tmp_path):
    row, expected = UNKNOWN[name]
    table = Table("my.jsonl", [Record("my.jsonl", 1, row)])
    found = next(filter(None, (that_fit(table, guess, None) for guess in guesses(table, None))), {})
    assert found == expected
    told = refused(lambda: opened(tmp_path, row, row))
    typed = dict(re.findall(r"data\.columns\.(\w+)=(\w+)", told))
    assert typed == expected
    assert bool(expected) != ("no column holds what can be trained" in told)
    if typed:
        assert opened(tmp_path, row, row, columns=typed).sources


def test_a_misspelt_name_that_does_not_fit_is_not_proposed(opened, refused, tmp_path):
    row = {"instruction": "q", "completions": [{"response": "a"}]}
    told = refused(lambda: opened(tmp_path, row, row))
    assert "data.columns" not in told
