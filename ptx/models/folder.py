"""The small files of a model folder, read once: configurations, vocabulary, headers of the weights."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError
from ptx.guard.reading import read_object
from ptx.models.chat import ChatTemplate, TemplateRefusalError, sources_of, special_tokens
from ptx.models.inspection import tensors_of, weight_files

SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
#: how files name the matrix of the token embeddings, and the output matrix
EMBEDDINGS = (
    *("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight"),
    *("tok_embeddings.weight", "backbone.embeddings.weight", "shared.weight"),
)
HEADS = ("lm_head.weight", "embed_out.weight", "output.weight", "output_layer.weight")
CONFIG, GENERATION, TOKENIZER, TOKENS, MAP, ADDED = (
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
)

MARK = re.compile(r"<\|[\w./-]+\|>")


@dataclass(frozen=True, eq=False)
class Folder:
    """A model folder. A file that is missing or cannot be read is empty: other checks say so."""

    path: Path

    def json(self, name: str) -> dict[str, Any]:
        """The object in one of its JSON files."""
        try:
            return read_object(self.path / name)
        except (OSError, ConfigError):
            return {}

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.json."""
        return self.json(CONFIG)

    @cached_property
    def text(self) -> dict[str, Any]:
        """The part of config.json that describes the language model."""
        nested = self.config.get("text_config")
        return nested if isinstance(nested, dict) else self.config

    @cached_property
    def generation(self) -> dict[str, Any]:
        """generation_config.json."""
        return self.json(GENERATION)

    @cached_property
    def special(self) -> dict[str, str]:
        """The special tokens by role, as transformers reads them."""
        found = special_tokens(self.json(TOKENIZER), self.json(MAP))
        return {role: found[role] for role in SPECIAL if role in found}

    @cached_property
    def added(self) -> dict[str, dict[str, int]]:
        """Added tokens and their ids, by the file that says so."""
        listed = self.json(TOKENS).get("added_tokens")
        decoder = self.json(TOKENIZER).get("added_tokens_decoder")
        return {
            ADDED: {text: place for text, place in self.json(ADDED).items() if isinstance(place, int)},
            TOKENIZER: {
                str(entry.get("content")): int(place)
                for place, entry in (decoder if isinstance(decoder, dict) else {}).items()
                if str(place).isdigit() and isinstance(entry, dict)
            },
            TOKENS: {
                str(entry.get("content")): entry["id"]
                for entry in (listed if isinstance(listed, list) else [])
                if isinstance(entry, dict) and isinstance(entry.get("id"), int)
            },
        }

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token -> id; of the added tokens alone where the vocabulary is a SentencePiece file."""
        return {**self.vocabulary, **self.added[ADDED], **self.added[TOKENIZER], **self.added[TOKENS]}

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """The vocabulary in tokenizer.json or vocab.json; empty where there is neither."""
        model = self.json(TOKENS).get("model")
        held = model.get("vocab") if isinstance(model, dict) else None
        if isinstance(held, list):  # a unigram model: pairs of token and score
            return {
                str(entry[0]): place for place, entry in enumerate(held) if isinstance(entry, list) and entry
            }
        found = held if isinstance(held, dict) else self.json("vocab.json")
        return {text: place for text, place in found.items() if isinstance(place, int)}

    def name_of(self, token: int) -> str:
        """The text of a token id; its number where the vocabulary does not have it."""
        return next((text for text, place in self.ids.items() if place == token), str(token))

    @cached_property
    def template(self) -> str:
        """The source of the chat template; empty without one."""
        sources = sources_of(self.path)
        return sources.get("default") or next(iter(sources.values()), "")

    @cached_property
    def turn_end(self) -> str:
        """The special token that the template writes after the assistant's words; empty where it has none."""
        return _turn_end(self)

    @cached_property
    def after_turn(self) -> str:
        """What looks like a special token (``<|...|>``) behind the assistant's words; empty if none."""
        found = MARK.match(_tail(self))
        return found[0] if found else ""

    @cached_property
    def tensors(self) -> dict[str, tuple[str, list[int], Path]]:
        """Name -> type, shape and file of every stored tensor."""
        found = {}
        for file in weight_files(self.path):
            for name, kind, shape in tensors_of(file):
                found[name] = (kind, shape, file)
        return found

    @cached_property
    def quantized(self) -> bool:
        """Whether the weights are packed."""
        return bool(self.config.get("quantization_config") or self.text.get("quantization_config"))

    def matrix(self, names: tuple[str, ...]) -> str:
        """The stored tensor that one of ``names`` ends; empty where there is none, or more than one."""
        found = [name for name in self.tensors if name.endswith(names) and "vision" not in name]
        return found[0] if len(found) == 1 else ""


def _turn_end(folder: Folder) -> str:
    tail = _tail(folder)
    named = {*folder.added[TOKENS], *folder.added[TOKENIZER], *folder.added[ADDED], *folder.special.values()}
    return max((token for token in named if token and tail.startswith(token)), key=len, default="")


def _tail(folder: Folder) -> str:
    """What the template writes behind the words of an assistant who has the last turn."""
    words = "ptxptx"
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": words}]
    try:
        template = ChatTemplate.of(folder.path)
        text = template.render(turns).text if template else ""
    except (TemplateRefusalError, ConfigError, OSError, ValueError):
        return ""
    return text.rpartition(words)[2].lstrip()


def open_folder(path: Path) -> Folder:
    """The folder; the one of an earlier call as long as none of its files has changed."""
    found = tuple(
        (file.name, file.stat().st_mtime_ns, file.stat().st_size)
        for file in sorted(path.iterdir())
        if file.is_file()
    )
    return _opened(path, found)


@lru_cache(maxsize=16)
def _opened(path: Path, _files: tuple[tuple[str, int, int], ...]) -> Folder:
    return Folder(path)
