"""Special tokens and ends of turns are those that transformers reads and writes."""

import json
import os

import pytest

from ptx.models.folder import open_folder
from tests.ptx.models import public


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("SmolLM2-135M-Instruct", "<|im_end|>"),
        ("Llama-2-7b-chat-hf", "</s>"),
        ("Llama-3.1-8B-Instruct", "<|eot_id|>"),
        ("gemma-2-2b-it", "<end_of_turn>"),
        ("Phi-3-mini-4k-instruct", "<|end|>"),
        ("glm-4-9b-chat-hf", ""),  # the next turn ends this one
        ("gpt2", ""),
    ],
)
def test_the_end_of_a_turn_is_what_the_template_writes_behind_the_answer(tmp_path, name, end):
    assert open_folder(public.write(tmp_path, name)).turn_end == end


def test_a_template_that_fails_has_no_end(tmp_path):
    folder = public.write(tmp_path, "gpt2")
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no') }}")
    assert open_folder(folder).turn_end == ""


def test_special_tokens_and_ids_are_those_of_transformers(chat_model):
    from transformers import AutoTokenizer

    tokenizer, folder = AutoTokenizer.from_pretrained(chat_model), open_folder(chat_model)
    for role, token in folder.special.items():
        assert getattr(tokenizer, role) == token
    assert folder.ids == tokenizer.get_vocab()
    assert folder.turn_end == tokenizer.eos_token


def test_a_folder_is_read_again_when_a_file_has_changed(tmp_path):
    folder = public.write(tmp_path, "gpt2")
    first = open_folder(folder)
    assert open_folder(folder) is first
    (folder / "config.json").write_text(json.dumps({"n_layer": 3}))
    os.utime(folder / "config.json")
    assert open_folder(folder).config == {"n_layer": 3}
