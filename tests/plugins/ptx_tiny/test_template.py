"""The chat template of the packaged tokenizer, as trainers use it."""

import pytest

from ptx_tiny.template import END, render

TALK = [
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "user", "content": "What is 12 + 7?"},
    {"role": "assistant", "content": "The answer is 19."},
    {"role": "user", "content": "¿Cuánto es 3 + 4?"},
    {"role": "assistant", "content": "La respuesta es 7."},
]


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
