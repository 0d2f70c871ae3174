"""Contradictions within a vocabulary, and between it and what names its tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ptx.models.finding import EXPORT, TRAIN, USE, Finding, put
from ptx.models.folder import CONFIG, EMBEDDINGS, GENERATION, TOKENIZER, TOKENS, Folder

FIX = f"correct added_tokens in {TOKENS}, or download the folder again"


def vocabulary_findings(folder: Folder) -> Iterator[Finding]:
    """All of them."""
    yield from _twice(folder)
    yield from _beyond(folder)
    yield from _stops_beyond(folder)
    yield from _no_end(folder)
    yield from _made_up(folder)
    yield from _cut(folder)


def _entries(folder: Folder) -> Iterator[tuple[str, str, int]]:
    """(File, content, id) of every added token."""
    listed = folder.json(TOKENS).get("added_tokens")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("id"), int):
            yield TOKENS, str(entry.get("content")), entry["id"]
    decoder = folder.json(TOKENIZER).get("added_tokens_decoder")
    for place, entry in (decoder if isinstance(decoder, dict) else {}).items():
        if str(place).isdigit() and isinstance(entry, dict):
            yield TOKENIZER, str(entry.get("content")), int(place)


def _twice(folder: Folder) -> Iterator[Finding]:
    """One id for two added tokens, which reads as the wrong one; one token with two ids."""
    contents: dict[tuple[str, int], set[str]] = defaultdict(set)
    ids: dict[tuple[str, str], set[int]] = defaultdict(set)
    for file, content, place in _entries(folder):
        contents[file, place].add(content)
        ids[file, content].add(place)
    for (file, place), several in contents.items():
        if len(several) > 1:
            named = " and ".join(map(repr, sorted(several)))
            what = f"{file} gives the id {place} to {named}: the model cannot tell them apart"
            yield Finding(what, (TRAIN, EXPORT), (), FIX)
    for (file, content), places in ids.items():
        if len(places) > 1:
            named = " and ".join(map(str, sorted(places)))
            what = f"{file} gives {content!r} the ids {named}: programs differ in which they take"
            yield Finding(what, (TRAIN, EXPORT), (), FIX)


def _rows(folder: Folder) -> int:
    """Rows of the embedding; 0 where they are not known."""
    name = folder.matrix(EMBEDDINGS)
    shape = folder.tensors[name][1] if name else []
    return shape[0] if len(shape) == 2 and not folder.quantized else 0


def _beyond(folder: Folder) -> Iterator[Finding]:
    """A vocabulary that goes on behind the embedding: the tokenizer of another model."""
    rows, added = _rows(folder), {content for _, content, _ in _entries(folder)}
    beyond = [token for token, place in folder.vocabulary.items() if place >= rows and token not in added]
    if rows and beyond:
        what = (
            f"the vocabulary has {len(beyond)} tokens beyond the {rows} rows of the embedding, first"
            f" {min(beyond, key=folder.vocabulary.__getitem__)!r}: the tokenizer is another model's"
        )
        yield Finding(what, (USE,), (), "put the model's own tokenizer into the folder")


def _stops_beyond(folder: Folder) -> Iterator[Finding]:
    """Generation that stops at an id that no token has."""
    rows = _rows(folder)
    for name, held in ((GENERATION, folder.generation), (CONFIG, folder.text)):
        value = held.get("eos_token_id")
        listed = value if isinstance(value, list) else [value]
        wrong = [one for one in listed if isinstance(one, int) and not 0 <= one < rows]
        if rows and wrong:
            kept: Any = [one for one in listed if one not in wrong] or None
            what = f"{name} stops at the id {wrong[0]}, and the embedding has {rows} rows: it never does"
            yield Finding(what, (), ((name, put(eos_token_id=kept)),) if name == GENERATION else (), FIX_STOP)


FIX_STOP = f"correct eos_token_id in {CONFIG}"


def _no_end(folder: Folder) -> Iterator[Finding]:
    """No file says where a text ends."""
    held = (folder.generation.get("eos_token_id"), folder.text.get("eos_token_id"))
    if folder.ids and not folder.special.get("eos_token") and all(value in (None, []) for value in held):
        what = "no file says where a text ends (eos_token, eos_token_id): answers would never stop"
        yield Finding(what, (TRAIN, EXPORT), (), f"set eos_token in {TOKENIZER}")


def _made_up(folder: Folder) -> Iterator[Finding]:
    """A template of another model: what it puts behind an answer is no token of this one."""
    end = folder.after_turn
    if folder.vocabulary and not folder.turn_end and end:
        eos = folder.special.get("eos_token", "")
        what = (
            f"the chat template ends a turn with {end!r}, which is no token of the vocabulary: the model"
            f" reads it as several, and an answer does not end with its end-of-text token {eos!r}"
        )
        yield Finding(what, (), (), "use the model's own chat template, or add the token and train it")


def _cut(folder: Folder) -> Iterator[Finding]:
    """A tokenizer that cuts every text, or fills it up to one length: transformers does not, others do.

    Filling up to the longest of a batch is left behind by transformers and changes no text.
    """
    cut, padding = (folder.json(TOKENS).get(name) for name in ("truncation", "padding"))
    strategy = padding.get("strategy") if isinstance(padding, dict) else None
    said = {
        "truncation": f"cuts every text after {cut.get('max_length')} tokens"
        if isinstance(cut, dict)
        else "",
        "padding": f"fills up every text to {strategy.get('Fixed')} tokens"
        if isinstance(strategy, dict)
        else "",
    }
    for name, does in said.items():
        if does:
            what = (
                f"{TOKENS} {does} ({name}): transformers and ptx do not go by it, programs that read the file"
                " alone do"
            )
            yield Finding(what, (), ((TOKENS, _null(name)),))


def _null(name: str) -> Any:
    """The edit that sets a key to null, which tokenizer.json must have."""

    def edit(held: dict[str, Any]) -> None:
        held[name] = None

    return edit
