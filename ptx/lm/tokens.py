"""Text to token ids, the one way that everything in ptx does it."""

from __future__ import annotations

from typing import Any


def first_token(tokenizer: Any) -> Any:
    """What stands before a text's own tokens: the id of the beginning-of-text token, else of the end-of-text
    token, else None.
    """
    return tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id


def encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids; the tokenizer's own special tokens are added unless the text, rendered from a chat template,
    brings its own.
    """
    begins = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
    return list(tokenizer(text, add_special_tokens=not begins)["input_ids"])


def encode_pair(tokenizer: Any, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """Token ids of a context and of what follows it, cut where lm-eval cuts them so that log-likelihoods
    agree.

    Spaces that end the context belong to the continuation (tokenizers glue them to the next word). An empty
    context becomes the beginning-of-text token.
    """
    if not context:
        ids = list(tokenizer(continuation, add_special_tokens=False)["input_ids"])
        prefix = first_token(tokenizer)
        return (ids[:1], ids[1:]) if ids[:1] == [prefix] else ([prefix], ids)
    kept = context.rstrip()
    ids, before = encode(tokenizer, context + continuation), encode(tokenizer, kept)
    return before, ids[len(before) :]
