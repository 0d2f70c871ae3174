"""Convert text to token ids; all of ptx uses these functions."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def first_token(tokenizer: PreTrainedTokenizerBase) -> Any:
    """The id of the token before a text: beginning-of-text, else end-of-text, else None."""
    return tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of a text that goes on.

    Special tokens are added before it, unless it starts with the beginning-of-text token already, as one that
    a chat template has rendered. Those that some tokenizers add behind a text (end-of-text with
    ``add_eos_token``) are left out: they would end every prompt before its answer.
    """
    if tokenizer.bos_token and text.startswith(tokenizer.bos_token):
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    ids = list(tokenizer(text, add_special_tokens=True)["input_ids"])
    return ids[: len(ids) - added_behind(tokenizer)]


@functools.lru_cache(maxsize=16)
def added_behind(tokenizer: PreTrainedTokenizerBase) -> int:
    """How many special tokens a tokenizer adds behind a text."""
    plain = list(tokenizer("1", add_special_tokens=False)["input_ids"])
    whole = list(tokenizer("1", add_special_tokens=True)["input_ids"])
    ends = (at for at in range(len(plain), len(whole) + 1) if whole[at - len(plain) : at] == plain)
    return len(whole) - next(ends, len(whole))


def encode_pair(
    tokenizer: PreTrainedTokenizerBase, context: str, continuation: str
) -> tuple[list[int], list[int]]:
    """Token ids of a context and of its continuation.

    They are split where lm-eval splits them, so that log-likelihoods agree: spaces at the end of the context
    belong to the continuation, because tokenizers merge them with the next word. An empty context becomes the
    beginning-of-text token.
    """
    if not context:
        ids = list(tokenizer(continuation, add_special_tokens=False)["input_ids"])
        prefix = first_token(tokenizer)
        return (ids[:1], ids[1:]) if ids[:1] == [prefix] else ([prefix], ids)
    kept = context.rstrip()
    ids, before = encode(tokenizer, context + continuation), encode(tokenizer, kept)
    return before, ids[len(before) :]
