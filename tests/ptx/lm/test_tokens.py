import copy
from pathlib import Path

import pytest
from tokenizers.processors import TemplateProcessing

import ptx_tiny
from ptx.lm.load import load_tokenizer
from ptx.lm.tokens import encode, encode_pair


@pytest.fixture
def tokenizer():
    """The embedded model's tokenizer, made to add a beginning-of-text token as most tokenizers do."""
    tokenizer = load_tokenizer(Path(ptx_tiny.__file__).parent / "model")
    bos = (tokenizer.bos_token, tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos[0]} $A", special_tokens=[bos]
    )
    return tokenizer


def test_the_beginning_of_text_token_stands_once_whether_rendered_or_not(tokenizer):
    begin = tokenizer.bos_token_id
    assert encode(tokenizer, "Hello")[0] == begin
    assert encode(tokenizer, "<|bos|>Hello") == encode(tokenizer, "Hello")


def test_a_space_that_ends_the_context_belongs_to_the_continuation(tokenizer):
    assert encode_pair(tokenizer, "One day ", "she") == encode_pair(tokenizer, "One day", " she")


def test_context_and_continuation_together_are_the_whole_text(tokenizer):
    context, continuation = encode_pair(tokenizer, "One day", " she went")
    assert context + continuation == encode(tokenizer, "One day she went")


def test_an_empty_context_becomes_the_beginning_of_text_token(tokenizer):
    context, continuation = encode_pair(tokenizer, "", "Hello")
    assert context == [tokenizer.bos_token_id]
    assert continuation == tokenizer("Hello", add_special_tokens=False)["input_ids"]


def test_an_end_token_that_a_tokenizer_adds_ends_no_text(tokenizer):
    plain = encode(tokenizer, "One day")
    bos, eos = tokenizer.bos_token, tokenizer.eos_token
    ending = copy.deepcopy(tokenizer)
    ending.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A {eos}",
        special_tokens=[(bos, tokenizer.bos_token_id), (eos, tokenizer.eos_token_id)],
    )
    assert ending("One day")["input_ids"] == [*plain, tokenizer.eos_token_id]
    assert encode(ending, "One day") == plain
    assert encode_pair(ending, "One", " day") == encode_pair(tokenizer, "One", " day")
    assert encode(ending, f"One day{eos}") == encode(tokenizer, f"One day{eos}")  # one in the text stays
