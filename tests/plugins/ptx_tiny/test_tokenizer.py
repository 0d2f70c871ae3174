"""The packaged tokenizer."""

import pytest

from ptx_tiny.template import BOS, END, PAD

TALK = [
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "user", "content": "What is 12 + 7?"},
    {"role": "assistant", "content": "The answer is 19."},
    {"role": "user", "content": "¿Cuánto es 3 + 4?"},
    {"role": "assistant", "content": "La respuesta es 7."},
]
TEXTS = [
    "plain",
    "  two  spaces\n\ttab\r\n",
    "Größe, ¿qué?",
    "日本語 العربية עברית",
    "👩‍👩‍👧‍👦 e\u0301 \u200b\ufeff",
    "\x00\x07\x7f",
    "3.14159e-10",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_round_trips(tokenizer, text: str):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_there_are_three_distinct_markers_and_no_unknown_token(tokenizer):
    assert (tokenizer.pad_token, tokenizer.bos_token, tokenizer.eos_token, tokenizer.unk_token) == (
        PAD,
        BOS,
        END,
        None,
    )
    assert len({tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}) == 3


def test_digits_stand_alone(tokenizer):
    assert tokenizer.tokenize("1234") == ["1", "2", "3", "4"]


def test_the_tokenizer_adds_no_beginning_so_the_templates_stands_once(tokenizer):
    ids = tokenizer(tokenizer.apply_chat_template(TALK, tokenize=False))["input_ids"]
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids == tokenizer.apply_chat_template(TALK, return_dict=True)["input_ids"]
