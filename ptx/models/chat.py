"""The chat template of a model, rendered without an ML library, and fitted to what the template can read.

Jinja's sandbox is set up as transformers does it, so both write the same text (the tests compare them on
the templates that TRL has collected). Beside the text, the places of ``{% generation %}`` blocks are given:
what the model says itself.

Templates disagree on three things that the data leaves open: arguments of tool calls as an object or as its
JSON text, a content that is not there as null or as empty text, and the name of the reasoning.
:meth:`ChatTemplate.fit` gives a conversation the form in which the template writes all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser

from ptx.guard.reading import read_object, read_text, reason
from ptx.guard.templates import BoundedSandbox
from ptx.models.marks import is_marked
from ptx.models.written import Loss, losses

Turn = dict[str, Any]
#: noncharacters of Unicode, which no text holds: they mark a generation block in the rendered text
START, END = "\ufdd0", "\ufdd1"
MARKS = re.compile(f"[{START}{END}]")
TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
REASONING = ("reasoning_content", "thinking", "reasoning")


#: what another form may bring into the text
OPEN = ("content", "tool_calls")


class TemplateRefusalError(ValueError):
    """A template that raises for a conversation; the message is the template's."""


class Rendered(NamedTuple):
    """The text of a conversation, and which parts of it (start, end) stand in generation blocks."""

    text: str
    spans: list[tuple[int, int]]


class Fitted(NamedTuple):
    """A conversation in the form that the template reads, its rendering, and what is missing in the text."""

    turns: list[Turn]
    rendered: Rendered
    lost: list[Loss]


class Form(NamedTuple):
    """How what the data leaves open is given to the template."""

    arguments_as_text: bool
    no_content: str | None


#: in the order in which they are tried
FORMS = (Form(False, ""), Form(False, None), Form(True, ""), Form(True, None))


class _Generation(Extension):
    """``{% generation %}``: what the model says is put between the marks."""

    tags = {"generation"}  # noqa: RUF012 (Jinja's interface)

    def parse(self, parser: Parser) -> nodes.Node:
        """The block as a call of :meth:`_marked`."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Any) -> str:
        return f"{START}{caller()}{END}"


def _raise(message: str) -> None:
    raise TemplateRefusalError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON without the HTML escapes of Jinja's own filter."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _now(form: str) -> str:
    """The date in the words of a template; in local time, as transformers gives it."""
    return datetime.now().strftime(form)  # noqa: DTZ005


def _environment() -> jinja2.Environment:
    made = BoundedSandbox(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    made.filters["tojson"] = _tojson
    made.globals["raise_exception"] = _raise
    made.globals["strftime_now"] = _now
    return made


@lru_cache(maxsize=64)
def _compiled(source: str) -> jinja2.Template:
    return _environment().from_string(source)


@dataclass
class ChatTemplate:
    """A chat template with its special tokens; several named ones where the model has a template for tools.

    Raises:
        TemplateRefusalError: the template is no Jinja.
    """

    sources: dict[str, str]
    tokens: dict[str, str]

    def __post_init__(self) -> None:
        try:
            self._compiled = {name: _compiled(source) for name, source in self.sources.items()}
        except Exception as error:  # a template can nest deeper than Jinja or Python can follow
            raise TemplateRefusalError(f"the chat template cannot be read: {reason(error)}") from error
        every = "\n".join(self.sources.values())
        named = [key for key in REASONING if re.search(rf"[.'\"]{key}\b", every)]
        self._reasoning = named[0] if named else ""
        self._forms = list(FORMS)  # the one that fitted last comes first

    @property
    def marks_replies(self) -> bool:
        """Whether ``{% generation %}`` stands around what the assistant says."""
        return all(is_marked(source) for source in self.sources.values())

    @property
    def knows_reasoning(self) -> bool:
        """Whether the template reads what was thought before a reply, under any of its names."""
        return bool(self._reasoning)

    @classmethod
    def of(cls, folder: Path) -> ChatTemplate | None:
        """The template of a model folder; None where it has none."""
        sources = sources_of(folder)
        return cls(sources, tokens_of(folder)) if sources else None

    def render(
        self, turns: Sequence[Turn], tools: list[Turn] | None = None, *, ask: bool = False, **options: Any
    ) -> Rendered:
        """The text of a conversation; with ``ask`` it ends where the model's reply begins.

        Raises:
            TemplateRefusalError: the template refuses the conversation, or cannot read it.
        """
        named = "tool_use" if tools and "tool_use" in self._compiled else "default"
        template = self._compiled.get(named) or next(iter(self._compiled.values()))
        given = {**self.tokens, "documents": None, **options}
        try:
            text = template.render(messages=turns, tools=tools, add_generation_prompt=ask, **given)
        except TemplateRefusalError:
            raise
        except Exception as error:  # whatever goes wrong in a template is the template's answer to this row
            raise TemplateRefusalError(reason(error)) from error
        return _unmarked(text)

    def fit(
        self, turns: Sequence[Turn], tools: list[Turn] | None = None, *, ask: bool = False, **options: Any
    ) -> Fitted:
        """The conversation in the form of which the template writes the most.

        Raises:
            TemplateRefusalError: the template refuses the conversation in every form.
        """
        found: list[Fitted] = []
        refusal: TemplateRefusalError | None = None
        open_questions = any(turn.get("tool_calls") or turn.get("content") is None for turn in turns)
        for form in tuple(self._forms if open_questions else FORMS[:1]):
            given = [self._given(turn, form) for turn in turns]
            try:
                rendered = self.render(given, tools, ask=ask, **options)
            except TemplateRefusalError as error:
                refusal = refusal or error
                continue
            found.append(Fitted(given, rendered, losses(turns, tools, rendered.text)))
            if not any(loss.key in OPEN for loss in found[-1].lost):
                if open_questions and form is not self._forms[0]:
                    self._forms.remove(form)
                    self._forms.insert(0, form)
                return found[-1]
        if not found:
            raise refusal or TemplateRefusalError("the conversation is empty")
        return min(found, key=lambda one: len(one.lost))

    def _given(self, turn: Turn, form: Form) -> Turn:
        """A canonical message as the template gets it."""
        made = {key: value for key, value in turn.items() if key not in ("train", "reasoning_content")}
        if made.get("content") is None:
            made["content"] = form.no_content
        if turn.get("reasoning_content"):
            made[self._reasoning or REASONING[0]] = turn["reasoning_content"]
        if form.arguments_as_text and turn.get("tool_calls"):
            made["tool_calls"] = [_with_text(call) for call in turn["tool_calls"]]
        return made


def _with_text(call: Turn) -> Turn:
    function = call["function"]
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": text}}


def _unmarked(text: str) -> Rendered:
    if START not in text:
        return Rendered(text, [])
    pieces = MARKS.split(text)
    ends = list(_running(map(len, pieces)))
    return Rendered("".join(pieces), list(zip(ends[0::2], ends[1::2], strict=False)))


def _running(lengths: Iterator[int]) -> Iterator[int]:
    total = 0
    for length in lengths:
        total += length
        yield total


def sources_of(folder: Path) -> dict[str, str]:
    """The templates of a model folder by name; a single one is called ``default``."""
    found = _named(_json(folder / "tokenizer_config.json").get("chat_template"))
    for file in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        found[file.stem] = read_text(file)
    file = folder / "chat_template.jinja"
    if file.exists():
        found["default"] = read_text(file)
    return found


def _named(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return {"default": value}
    entries = value if isinstance(value, list) else []
    return {
        str(entry["name"]): str(entry["template"])
        for entry in entries
        if isinstance(entry, dict) and "name" in entry and "template" in entry
    }


def tokens_of(folder: Path) -> dict[str, str]:
    """The special tokens that a template may write, such as ``bos_token``."""
    return special_tokens(_json(folder / "tokenizer_config.json"), _json(folder / "special_tokens_map.json"))


def special_tokens(config: dict[str, Any], listed: dict[str, Any]) -> dict[str, str]:
    """Role -> token, as transformers 5 reads tokenizer_config.json and special_tokens_map.json.

    The second one wins, also with null; it is not read where the first one has ``added_tokens_decoder``.
    """
    found = config if "added_tokens_decoder" in config else config | listed
    values = {role: found.get(role) for role in TOKENS}
    texts = {
        role: value.get("content") if isinstance(value, dict) else value for role, value in values.items()
    }
    return {role: text for role, text in texts.items() if isinstance(text, str) and text}


def _json(file: Path) -> dict[str, Any]:
    return read_object(file) if file.exists() else {}
