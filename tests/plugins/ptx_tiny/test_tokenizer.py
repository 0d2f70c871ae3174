"""The packaged tokenizer and its chat template, as trainers rely on them."""

import pytest

from ptx_tiny import MODEL_FOLDER
from ptx_tiny.template import BOS, END, PAD, render

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


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(MODEL_FOLDER)


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


def test_the_template_renders_what_the_writers_of_data_render(tokenizer):
    assert tokenizer.apply_chat_template(TALK, tokenize=False) == render(TALK)


def test_the_generation_mask_covers_exactly_the_answers_and_their_end_tokens(tokenizer):
    out = tokenizer.apply_chat_template(TALK, return_dict=True, return_assistant_tokens_mask=True)
    kept = [token for token, mask in zip(out["input_ids"], out["assistant_masks"], strict=True) if mask]
    assert tokenizer.decode(kept) == f"The answer is 19.{END}La respuesta es 7.{END}"


@pytest.mark.parametrize("length", [2, 4])
def test_a_conversation_is_a_prefix_of_its_continuation(tokenizer, length: int):
    prompt = tokenizer.apply_chat_template(TALK[:length], add_generation_prompt=True, return_dict=True)[
        "input_ids"
    ]
    whole = tokenizer.apply_chat_template(TALK[: length + 1], return_dict=True)["input_ids"]
    assert whole[: len(prompt)] == prompt
    assert tokenizer.decode(prompt).endswith("<|assistant|>")


def test_trl_finds_the_template_fit_for_training(tokenizer):
    from trl.chat_template_utils import is_chat_template_prefix_preserving

    assert is_chat_template_prefix_preserving(tokenizer)
