"""The tokenizer in GGUF: tokens, kinds, scores or merges, special tokens, and how text is split before.

llama.cpp has three tokenizers that tokenizer.json can describe:

- ``gpt2``: byte-level BPE with merges. It knows pre-tokenizers by name; each is part of its code. The name is
  found by the regular expression. For an unknown one the file says ``default``.
- ``llama``: SentencePiece BPE with bytes for unknown characters (Llama 2, Mistral, Gemma). It joins the two
  neighbours whose union has the highest score; HF applies the first of a list of merges. So a token's score
  is minus the rank of the first merge that makes it.
- ``t5``: SentencePiece unigram, with the scores of tokenizer.json and the table of its normalizer.

Afterwards llama.cpp and the model's own tokenizer split the same varied texts (:mod:`ptx_gguf.splits`).
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gguf import GGUFWriter, SpecialVocab, TokenType

from ptx.files import read_json
from ptx.lm.load import load_tokenizer
from ptx_gguf.checks import kind_of, kinds_of, parts_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

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
    """Write the tokenizer of ``folder``, padded to ``size`` tokens; return what splits its text.

    That is the pre-tokenizer's name for byte-level BPE, else the kind of tokenizer.
    """
    tokenizer, described = load_tokenizer(folder), read_json(folder / "tokenizer.json")
    kind = kind_of(described)
    tokens, kinds = _tokens(tokenizer, size, described, kind)
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    special = SpecialVocab(folder, load_merges=kind == "gpt2", n_vocab=size)
    if kind == "gpt2":
        special.merges = special.merges or [NO_MERGE]
        writer.add_tokenizer_pre(pre_tokenizer(folder))
    else:
        _add_sentencepiece(writer, tokenizer, described, tokens)
    special.add_to_gguf(writer)
    if "tokenizer.chat_template" not in writer.kv_data[0] and tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
    return pre_tokenizer(folder) if kind == "gpt2" else kind


def _tokens(
    tokenizer: PreTrainedTokenizerBase, size: int, described: dict[str, Any], kind: str
) -> tuple[list[str], list[TokenType]]:
    """The text and the type of every token."""
    by_id = {index: token for token, index in tokenizer.get_vocab().items()}
    added = dict(tokenizer.added_tokens_decoder)
    unknown = unknown_of(described["model"]) if kind != "gpt2" else None
    types = []
    for index in range(size):
        token = by_id.get(index)
        if token is None:
            types.append(TokenType.UNUSED)
        elif token == unknown:
            types.append(TokenType.UNKNOWN)
        elif index in added:
            types.append(TokenType.CONTROL if added[index].special else TokenType.USER_DEFINED)
        elif kind != "gpt2" and is_byte(token):
            types.append(TokenType.BYTE)
        else:
            types.append(TokenType.NORMAL)
    return [by_id.get(index, f"[PAD{index}]") for index in range(size)], types


def is_byte(token: str) -> bool:
    """Whether a token stands for one byte: ``<0x0A>``."""
    return len(token) == len("<0x0A>") and token.startswith("<0x") and token.endswith(">")


def unknown_of(model: dict[str, Any]) -> str | None:
    """The token for what cannot be split."""
    if model["type"] == "Unigram":
        place = model.get("unk_id")
        return None if place is None else str(model["vocab"][place][0])
    return model.get("unk_token")


def _add_sentencepiece(
    writer: GGUFWriter, tokenizer: PreTrainedTokenizerBase, described: dict[str, Any], tokens: list[str]
) -> None:
    model = described["model"]
    scores = dict(model["vocab"]) if model["type"] == "Unigram" else scores_of(model["merges"])
    writer.add_token_scores([float(scores.get(token, LEAST)) for token in tokens])
    backend = tokenizer.backend_tokenizer
    first = backend.encode("x", add_special_tokens=False).tokens[:1]
    writer.add_add_space_prefix(bool(first) and first[0].startswith(SPACE))
    if model["type"] == "Unigram":
        inner = backend.encode("x  x", add_special_tokens=False).tokens
        writer.add_remove_extra_whitespaces(
            "".join(inner).count(SPACE) < 1 + (first[0].startswith(SPACE) + 1)
        )
        for part in parts_of(described.get("normalizer")):
            if part["type"] == "Precompiled" and part.get("precompiled_charsmap"):
                writer.add_precompiled_charsmap(base64.b64decode(part["precompiled_charsmap"]))


SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
LEAST = -1e6  # of a token that no merge makes


def scores_of(merges: list[Any]) -> dict[str, float]:
    """Minus the rank of the first merge that makes a token."""
    scores: dict[str, float] = {}
    for rank, merge in enumerate(merges):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        scores.setdefault(left + right, -float(rank))
    return scores
