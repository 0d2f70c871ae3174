"""Contradictions about tokens: where a text ends, which ids there are, and how long a text may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ptx.models.finding import EXPORT, TRAIN, USE, Edit, Finding, put
from ptx.models.folder import (
    ADDED,
    CONFIG,
    EMBEDDINGS,
    GENERATION,
    MAP,
    SPECIAL,
    TOKENIZER,
    TOKENS,
    Folder,
)
from ptx.models.generation import idle_settings
from ptx.models.sizes import context


def token_findings(folder: Folder) -> Iterator[Finding]:
    """All of them."""
    yield from (replace(found, name="stop-tokens") for found in _stops(folder))
    yield from _two_maps(folder)
    yield from _beyond(folder)
    yield from _conflicts(folder)
    yield from _lengths(folder)
    yield from _sampling(folder)


def stops_of(folder: Folder) -> list[int]:
    """The ids at which generation stops, by generation_config.json, else by config.json."""
    for held in (folder.generation, folder.text):
        value = held.get("eos_token_id")
        listed = value if isinstance(value, list) else [value]
        found = [token for token in listed if isinstance(token, int) and not isinstance(token, bool)]
        if found:
            return found
    return []


def _stops(folder: Folder) -> Iterator[Finding]:
    """Three places say where a text ends: the tokenizer, the template, and the generation config.

    Two against one decide which is wrong. The template is what the model was trained on; the tokenizer's
    token is put behind plain texts in training, and is what exported models stop at.
    """
    eos, end, stops = folder.special.get("eos_token", ""), folder.turn_end, stops_of(folder)
    if not eos or not folder.ids:
        return
    known, place = folder.ids.get(eos), folder.ids.get(end)
    said = f"{GENERATION if folder.generation.get('eos_token_id') is not None else CONFIG}"
    names = ", ".join(f"{token} ({folder.name_of(token)})" for token in stops)
    if known is None and not folder.vocabulary:
        return
    where = TOKENIZER if folder.json(TOKENIZER).get("eos_token") and not _is_listed(folder) else MAP
    if known is None:
        what = f"the end-of-text token {eos!r} of {where} is not in the vocabulary"
        yield Finding(what, (TRAIN, EXPORT), _eos_edits(folder, end) if place in stops else (), _CORRECT)
    elif end and eos != end and known not in stops and (place in stops or not stops):
        what = (
            f"{where} says that a text ends with {eos!r} ({known}), the chat template ends a turn with"
            f" {end!r} ({place})"
            + (f", and {said} stops at {names}" if stops else "")
            + ". Plain texts would be trained to end with the wrong token, and exported models would not stop"
        )
        yield Finding(what, (TRAIN, EXPORT), _eos_edits(folder, end))
    elif end and place is not None and stops and place not in stops:
        what = (
            f"the chat template ends a turn with {end!r} ({place}), and {said} stops only at {names}:"
            " an answer would go on after its end"
        )
        yield Finding(what, (), ((GENERATION, put(eos_token_id=[place, *stops])),))
    elif stops and known not in stops and not end:
        yield Finding(
            f"{where} says that a text ends with {eos!r} ({known}), {said} stops only at {names}",
            (),
            ((GENERATION, put(eos_token_id=[known, *stops])),),
        )


def _is_listed(folder: Folder) -> bool:
    """Whether transformers takes the end of a text from special_tokens_map.json."""
    return "added_tokens_decoder" not in folder.json(TOKENIZER) and bool(folder.json(MAP).get("eos_token"))


_CORRECT = f"correct eos_token in {TOKENIZER}"


def _eos_edits(folder: Folder, end: str) -> tuple[tuple[str, Edit | None], ...]:
    """Make ``end`` the end-of-text token; padding with the former one follows."""
    wrong, place = folder.special.get("eos_token"), folder.ids.get(end)

    def tokenizer(held: dict[str, Any]) -> None:
        held["eos_token"] = end
        if "eos_token_id" in held:
            held["eos_token_id"] = place
        if _text(held.get("pad_token")) == wrong:
            held["pad_token"] = end

    def mapped(held: dict[str, Any]) -> None:
        held["eos_token"] = end
        if _text(held.get("pad_token")) == wrong:
            held["pad_token"] = end

    also = ((MAP, mapped),) if (folder.path / MAP).is_file() else ()
    return ((TOKENIZER, tokenizer), *also)


def _text(value: Any) -> Any:
    return value.get("content") if isinstance(value, dict) else value


def _differing(folder: Folder) -> dict[str, tuple[Any, Any]]:
    """Role -> its tokens in special_tokens_map.json and in tokenizer_config.json, where they differ."""
    config, listed = folder.json(TOKENIZER), folder.json(MAP)
    if "added_tokens_decoder" in config:
        return {}
    return {
        role: (_text(listed[role]), _text(config[role]))
        for role in SPECIAL
        if role in listed and _text(config.get(role)) and _text(listed[role]) != _text(config[role])
    }


def _two_maps(folder: Folder) -> Iterator[Finding]:
    """Two files name the special tokens: transformers 5 goes by the older one where it is read."""
    config = folder.json(TOKENIZER)
    if differ := _differing(folder):
        said = ", ".join(f"{role} {one!r} and {other!r}" for role, (one, other) in differ.items())
        what = f"{MAP} and {TOKENIZER} name different tokens: {said}. transformers goes by the first"
        refused = (TRAIN, EXPORT) if {"eos_token", "bos_token"} & differ.keys() else ()
        yield Finding(what, refused, ((MAP, put(**{role: config[role] for role in differ})),))


def _beyond(folder: Folder) -> Iterator[Finding]:
    """Tokens without a row in the embedding that some text will hold: a special one, or one of the template.

    A token that was added and never trained has no row, so leaving it out loses nothing.
    """
    name = folder.matrix(EMBEDDINGS)
    if not name or not folder.tensors[name][1] or folder.quantized:
        return
    rows = folder.tensors[name][1][0]
    mendable = {role for role, (_, token) in _differing(folder).items() if token in folder.ids}
    roles = {
        role: token
        for role, token in folder.special.items()
        if role not in mendable and _is_beyond(folder, token, rows)
    }
    used = {
        token
        for token, place in folder.ids.items()
        if place >= rows and token and token in folder.template and token not in roles.values()
    }
    listed = [f"{role} {token!r} ({folder.ids.get(token, 'new')})" for role, token in roles.items()]
    listed += [f"{token!r} ({folder.ids[token]}) of the chat template" for token in sorted(used)]
    if listed:
        what = (
            f"the embedding has {rows} rows, and the tokenizer has tokens beyond them: {', '.join(listed)}."
            " The model cannot read them"
        )
        # a token of the template, or the end of a text, is needed: the embedding must be given a row for it
        fix = "give them rows: model.resize_token_embeddings(len(tokenizer)) in transformers, and train them"
        needed = used or "eos_token" in roles
        yield Finding(what, (USE,), () if needed else _without(folder, rows, roles), fix)


def _is_beyond(folder: Folder, token: str, rows: int) -> bool:
    """Whether a token has no row. One that no file lists is added behind the vocabulary."""
    if token not in folder.ids and not folder.vocabulary:
        return False  # a SentencePiece file lists it
    return folder.ids.get(token, max(folder.ids.values()) + 1) >= rows


def _without(folder: Folder, rows: int, roles: dict[str, str]) -> tuple[tuple[str, Edit | None], ...]:
    """Leave out the added tokens from ``rows`` on; padding becomes the end-of-text token, other roles go."""
    instead = {role: folder.special.get("eos_token") if role == "pad_token" else None for role in roles}

    def tokens(held: dict[str, Any]) -> None:
        held["added_tokens"] = [
            entry for entry in held.get("added_tokens") or [] if entry.get("id", 0) < rows
        ]

    def tokenizer(held: dict[str, Any]) -> None:
        put(**instead)(held)
        decoder = held.get("added_tokens_decoder")
        if isinstance(decoder, dict):
            held["added_tokens_decoder"] = {key: entry for key, entry in decoder.items() if int(key) < rows}

    def added(held: dict[str, Any]) -> None:
        for token in [token for token, place in held.items() if place >= rows]:
            del held[token]

    edits = {TOKENS: tokens, TOKENIZER: tokenizer, ADDED: added, MAP: put(**instead)}
    return tuple((name, edit) for name, edit in edits.items() if (folder.path / name).is_file())


def _conflicts(folder: Folder) -> Iterator[Finding]:
    """Added tokens to which two files give different ids."""
    first = folder.added[TOKENS] or folder.vocabulary
    for name in (TOKENIZER, ADDED):
        other = folder.added[name]
        differ = sorted(token for token in other if token in first and first[token] != other[token])
        if differ and folder.added[TOKENS]:
            token = differ[0]
            what = (
                f"{len(differ)} added tokens have other ids in {name} than in {TOKENS}, first {token!r}:"
                f" {other[token]} and {first[token]}"
            )
            key = "added_tokens_decoder"
            edit: Edit | None = put(**{key: None}) if name == TOKENIZER else None
            yield Finding(what, (TRAIN, EXPORT), ((name, edit),))


def _lengths(folder: Folder) -> Iterator[Finding]:
    """A context that is shorter than it was before it was scaled, and a tokenizer that stops earlier."""
    tokens = context(folder.config)
    scaling = folder.text.get("rope_scaling") or folder.text.get("rope_parameters") or {}
    before = scaling.get("original_max_position_embeddings") if isinstance(scaling, dict) else None
    if tokens and isinstance(before, int) and before > tokens:
        yield Finding(
            f"{CONFIG} scales positions from {before} tokens (original_max_position_embeddings) to only"
            f" {tokens} (max_position_embeddings): scaling makes a context longer",
            (),
            (),
            f"correct one of the two in {CONFIG}",
        )
    most = folder.json(TOKENIZER).get("model_max_length")
    if (
        tokens and isinstance(most, int) and 0 < 2 * most < tokens
    ):  # 128000 of 131072, as GLM 4 has, is a margin
        yield Finding(
            f"{TOKENIZER} says that texts have at most {most} tokens (model_max_length), {CONFIG} says"
            f" {tokens}: ptx reads up to {tokens}",
            (),
            ((TOKENIZER, put(model_max_length=tokens)),),
        )


def _sampling(folder: Folder) -> Iterator[Finding]:
    """Settings of sampling without ``do_sample``: transformers reads the file and refuses to write it."""
    idle = idle_settings(folder.generation)
    if idle:
        listed = ", ".join(f"{name}={value}" for name, value in idle.items())
        yield Finding(
            f"{GENERATION} has {listed} without do_sample=true, which transformers will not save; models that"
            " are made of it get do_sample=true",
            (),
            ((GENERATION, put(do_sample=True)),),
        )
