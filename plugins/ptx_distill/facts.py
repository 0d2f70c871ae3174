"""Depth, width and vocabulary of a model, read from its configuration files without its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.files import digest_of, file_digest

#: name of an attention projection; groups: the number of the layer, the projection
ATTENTION = re.compile(r"layers\.(\d+)\.self_attn\.([qkv]_proj)$")
KINDS = ("q_proj", "k_proj", "v_proj")


@dataclass(frozen=True)
class Shape:
    """The sizes in a model's config.json, 0 where one is missing.

    ``layers`` is the number of layers, ``width`` that of hidden states, ``words`` the size of the vocabulary.
    """

    layers: int
    width: int
    words: int


def shape_of(folder: Path) -> Shape:
    """The shape of a model folder that holds weights."""
    config = _read(folder / "config.json")
    config = config.get("text_config") or config
    return Shape(*(int(config.get(name) or 0) for name in ("num_hidden_layers", "hidden_size", "vocab_size")))


def vocabulary(folder: Path) -> str:
    """A digest of the tokens with their ids; equal digests mean that both tokenizers use the same ids."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return digest_of([file_digest(path) for path in sorted(folder.glob("*.model"))])
    tokenizer = _read(file)
    found = tokenizer["model"].get("vocab") or {}
    words = dict(found) if isinstance(found, dict) else {word: place for place, (word, _) in enumerate(found)}
    return digest_of(words | {token["content"]: token["id"] for token in tokenizer.get("added_tokens") or []})


def _read(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def last_attention(names: Iterable[str]) -> dict[str, str]:
    """The query, key and value projections of the last layer: kind -> name of the module.

    Empty where the last layer does not have all three.
    """
    layers: dict[int, dict[str, str]] = {}
    for name in names:
        if found := ATTENTION.search(name):
            layers.setdefault(int(found[1]), {})[found[2]] = name
    last = layers[max(layers)] if layers else {}
    return last if last.keys() == set(KINDS) else {}
