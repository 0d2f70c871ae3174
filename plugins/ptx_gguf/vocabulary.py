"""The tokenizer in GGUF: tokens, kinds, merges, special tokens, and the name of the pre-tokenizer.

llama.cpp knows pre-tokenizers by name; each is part of its code. The name is found by the regular expression.
For an unknown one the file says ``default``, and the record says that its token boundaries are not assured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gguf import GGUFWriter, SpecialVocab, TokenType

from ptx.files import read_json
from ptx.lm.load import load_tokenizer
from ptx_gguf.checks import kinds_of

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
#: regular expression of a Split -> llama.cpp's name (llama-vocab.cpp)
SPLITS = {WORDS % r"\p{N}": "qwen2", WORDS % r"\p{N}{1,3}": "llama-bpe"}

#: llama.cpp opens no vocabulary without merges; the result of this one is no token, so llama.cpp splits it
#: into bytes again
NO_MERGE = "\N{LATIN SMALL LETTER THORN} \N{LATIN SMALL LETTER Y WITH DIAERESIS}"


def pre_tokenizer(folder: Path) -> str:
    """Return llama.cpp's name for the pre-tokenizer of ``tokenizer.json``.

    The name is ``default`` where no other is certain to be the same.
    """
    part: dict[str, Any] = read_json(folder / "tokenizer.json").get("pre_tokenizer") or {}
    if kinds_of(part) == ["ByteLevel"]:
        return "gpt-2" if part.get("use_regex", True) else "default"
    if kinds_of(part) == ["Split", "ByteLevel"]:
        return SPLITS.get(part["pretokenizers"][0]["pattern"].get("Regex", ""), "default")
    if kinds_of(part) == ["Digits", "ByteLevel"] and part["pretokenizers"][0].get("individual_digits"):
        return "smollm"
    return "default"


def add_vocabulary(writer: GGUFWriter, folder: Path, size: int) -> str:
    """Write the tokenizer of ``folder``, padded to ``size`` tokens; return the pre-tokenizer's name."""
    tokenizer, name = load_tokenizer(folder), pre_tokenizer(folder)
    by_id = {index: token for token, index in tokenizer.get_vocab().items()}
    added = dict(tokenizer.added_tokens_decoder)
    tokens, kinds = [], []
    for index in range(size):
        tokens.append(by_id.get(index, f"[PAD{index}]"))
        if index not in by_id:
            kinds.append(TokenType.UNUSED)
        elif index in added:
            kinds.append(TokenType.CONTROL if added[index].special else TokenType.USER_DEFINED)
        else:
            kinds.append(TokenType.NORMAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    special = SpecialVocab(folder, load_merges=True, n_vocab=size)
    special.merges = special.merges or [NO_MERGE]
    special.add_to_gguf(writer)
    if "tokenizer.chat_template" not in writer.kv_data[0] and tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
    return name
