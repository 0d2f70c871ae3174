"""What can be told of two models without a weight: depth, width, vocabulary."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.files import digest_of, file_digest

#: a projection of a layer's attention: the layer's number, and which one
ATTENTION = re.compile(r"layers\.(\d+)\.self_attn\.([qkv]_proj)$")
KINDS = ("q_proj", "k_proj", "v_proj")


@dataclass(frozen=True)
class Shape:
    """The sizes in a model's config.json; 0 where it does not say."""

    layers: int
    width: int
    words: int


def shape_of(folder: Path) -> Shape:
    """The shape of a model folder that holds weights."""
    config = _read(folder / "config.json")
    config = config.get("text_config") or config
    return Shape(*(int(config.get(name) or 0) for name in ("num_hidden_layers", "hidden_size", "vocab_size")))


def vocabulary(folder: Path) -> str:
    """A digest of which token has which number: equal for tokenizers that read and write the same ids."""
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
    """Kind -> name of the query, key and value projections of the layer with the highest number; empty where
    there are not all three.
    """
    layers: dict[int, dict[str, str]] = {}
    for name in names:
        if found := ATTENTION.search(name):
            layers.setdefault(int(found[1]), {})[found[2]] = name
    last = layers[max(layers)] if layers else {}
    return last if last.keys() == set(KINDS) else {}
