"""Signs of a mistake in the texts of one row: what one would see if one read all rows.

None of them is proof, so they are notes and stop nothing. A sign that good data shows now and then counts
from a share of the rows on. Each rule first asks for a part of a string, which costs nothing on rows without
it: 100,000 rows take seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from ptx.data.records import Row
from ptx.data.turns import is_turns

SOME = 0.01  # share of the rows from which on a sign is told that good data shows now and then
MANY = 0.1
MOST = 0.5
LONG = 20  # characters; a shorter text may be repeated by coincidence


class Sign(NamedTuple):
    """What a row shows (with an example behind ``, got``), and from which share of rows on it is told."""

    name: str
    what: str
    share: float = 0.0


class Texts(NamedTuple):
    """The texts of a row: what is asked, and what the model learns to say."""

    asked: tuple[str, ...]
    replies: tuple[str, ...]


#: shape -> the columns that hold what is asked, and replies
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "completions": (("prompt",), ("completion",)),
    "pairs": (("prompt",), ("chosen", "rejected")),
    "thumbs": (("prompt",), ("completion",)),
    "prompts": (("prompt",), ()),
    "safety": (("prompt",), ()),
    "steps": (("prompt",), ()),
    "text": ((), ("text",)),
}

NOTHING = {
    "none",
    "null",
    "nan",
    "n/a",
    "na",
    "undefined",
    "#n/a",
    "#ref!",
    "#value!",
    "#name?",
    "[deleted]",
    "[removed]",
    "<na>",
}
TEMPLATE_TOKENS = re.compile(
    r"<\|(?:im_start|im_end|endoftext|user|assistant|system|end|eot_id|start_header_id|end_header_id"
    r"|begin_of_text|end_of_text|eom_id|im_sep|channel|message|return|[A-Z]+(?:_[A-Z]+)*_TOKEN)\|>"
    r"|<\uff5c[^\uff5c<>]{1,40}\uff5c>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|^<s>|</s>$"
    r"|^###? ?(?:Instruction|Response|Input):",
    re.MULTILINE,
)
#: UTF-8 that was read as Windows-1252 or Latin-1
MOJIBAKE = re.compile(
    "\u00c3[\x80-\xbf\u0178\u201e\u2013\u0153\u2030\u02c6\u20ac]"
    "|\u00e2\u20ac[\u2122\u0153\x9d\u201c\u201d\u02dc\u00a6\x80-\x9f]|\u00e2\x80[\x80-\xbf]"
    "|\u00c2[\xa0\xa3\xb0\xa9\xae\xbb\xab\xb7]|\u00ef\u00bb\u00bf|\u00ef\u00bf\u00bd"
)
ENTITY = re.compile(r"&(?:amp|lt|gt|quot|nbsp|apos|#\d{2,5}|#x[0-9a-fA-F]+);")
TAG = re.compile(r"</?(?:p|br|div|span|li|ul|ol|h[1-6]|td|tr|table|strong|em)(?:\s[^<>]*)?/?>", re.IGNORECASE)
ESCAPED = re.compile(r"\\n(?:\\n|[^a-z\"'`)\]]|$)")
SLOT = re.compile(
    r"\{\{? ?(?:input|question|prompt|instruction|context|text|query|answer|response|output|name"
    r"|user_input) ?\}?\}|\[(?:INSERT|YOUR)[ _][A-Z _]+\]"
)
FAILED = re.compile(
    r"^(?:\s*\{\s*[\"']error[\"']\s*:|Error(?: code)?: \d{3}|Rate limit|HTTP (?:Error )?[45]\d\d"
    r"|[45]\d\d (?:Bad Gateway|Internal Server Error|Too Many Requests|Service Unavailable"
    r"|Gateway Time-?out)|Traceback \(most recent call last\)"
    r"|.{0,40}(?:Read timed out|APIError|RateLimitError|Request timed out))",
    re.IGNORECASE,
)
NEXT_TURN = re.compile(r"\n\s*(?:User|Human|USER|HUMAN|### ?(?:User|Human)|Q): ?\S")
MARKED = re.compile(r"\s*(?:assistant|ai|bot|gpt|response|answer|output|chatbot)\s*:\s", re.IGNORECASE)
PRINTED = re.compile(r"\s*\[\s*\{\s*['\"](?:role|from|content|value)['\"]\s*:|\s*\{\s*['\"]role['\"]\s*:")
PRINTED_LIST = re.compile(r"\s*\[(?:'[^']*'|\"[^\"]*\")(?:,? *(?:'[^']*'|\"[^\"]*\"))*\]\s*$")
#: an object whose only key says that its value is the reply
QUOTED_JSON = re.compile(
    r"\s*\{\s*[\"'](?:text|content|answer|response|output|completion|value|message)[\"']\s*:[^{}]*\}\s*"
)
IDENTIFIER = re.compile(
    r"\s*(?:https?://\S+|[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{2,})*|\d{4,}|\S+\.(?:jpg|png|txt|json|wav|mp3))\s*"
)
CONTROL = "\x00\x01\x02\x03\x07\x08\x1b\x7f\ufeff"


#: starts of access keys: OpenAI, AWS, Hugging Face, GitHub, PEM
SECRET_STARTS = ("sk-", "AKIA", "hf_", "ghp_", "-----BEGIN")
SECRET = re.compile(
    r"\bsk-[A-Za-z0-9_-]{20,}|\bAKIA[A-Z0-9]{16}\b|\bhf_[A-Za-z0-9]{30,}|\bghp_[A-Za-z0-9]{30,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
BLOB = re.compile(r"[A-Za-z0-9+/=]{400,}")
INVISIBLE = re.compile("[\u200b\u2060\u202a-\u202e\u2066-\u2069]")
#: what a call of a tool has that is written as text
CALLING = ("{", "<", "(", "```", ":")
LOOP = 30  # characters at the end of a reply that come again and again in it


def texts_of(shape: str, row: Row) -> Texts:
    """The texts of a row of ``shape``."""
    if shape == "messages":
        said: tuple[list[str], list[str]] = ([], [])
        for turn in row["messages"]:
            if isinstance(text := turn.get("content"), str):
                said[turn.get("role") == "assistant"].append(text)
        return Texts(tuple(said[False]), tuple(said[True]))
    asked, replies = COLUMNS.get(shape, ((), ()))
    return Texts(
        tuple(text for name in asked for text in _contents(row[name])),
        tuple(text for name in replies for text in _contents(row[name])),
    )


def _contents(value: Any) -> list[str]:
    if not is_turns(value):
        return [value] if isinstance(value, str) else []
    return [turn["content"] for turn in value if isinstance(turn.get("content"), str)]


def signs(shape: str, row: Row, texts: Texts) -> Iterator[Sign]:
    """The signs of a mistake in a row; equal ones may come twice."""
    for text in (*texts.asked, *texts.replies):
        yield from _of_any(text, plain=shape == "text")
    before = row.get("messages") or row.get("prompt")
    before = before if isinstance(before, list) else []
    results = [turn.get("content") for turn in before if turn.get("role") == "tool"]
    for text in texts.asked:
        if text not in results:
            yield from _of_asked(text)
    if shape != "text":
        continued = bool(texts.asked) and texts.asked[-1].rstrip().endswith(":")  # Assistant:, Answer:
        for text in texts.replies:
            yield from _of_reply(text.lstrip(" ") if continued else text)
    yield from _of_turns(shape, row)
    yield from _of_calls(row)
    if (
        shape == "pairs"
        and len(texts.replies) == 2
        and _letters(texts.replies[0]) == _letters(texts.replies[1])
    ):
        yield Sign("sides-alike", "chosen and rejected differ in capitals, spaces or punctuation only", SOME)
    if texts.asked and texts.replies and shape != "messages":
        yield from _between(texts.asked[-1], texts.replies)


def _found(pattern: re.Pattern[str], text: str, name: str, what: str, share: float = 0.0) -> Iterator[Sign]:
    if match := pattern.search(text):
        yield Sign(name, f"{what}, got {match.group().strip()[:40]!r}", share)


def _of_any(text: str, *, plain: bool) -> Iterator[Sign]:
    if not plain and _may_hold_tokens(text):
        yield from _found(TEMPLATE_TOKENS, text, "template-tokens", "a text holds tokens of a chat template")
    if not text.isascii():
        yield from _of_letters(text)
    for sign in CONTROL:
        if sign in text:
            yield Sign("control-characters", f"a text holds control characters, got {sign!r}")
    if len(text) >= 400 and BLOB.search(text):
        yield Sign("base64", "a text holds more than 400 characters without a space (a file in base64?)")
    yield from _of_markup(text)
    if any(start in text for start in SECRET_STARTS) and SECRET.search(text):
        yield Sign("access-key", "a text holds what looks like an access key")


def _of_letters(text: str) -> Iterator[Sign]:
    yield from _found(MOJIBAKE, text, "mojibake", "a text was read in a wrong encoding once")
    yield from _found(INVISIBLE, text, "invisible-characters", "texts hold characters that nobody sees", SOME)
    if "\ufffd" in text:
        yield Sign("lost-letters", "a text holds � where letters were lost")


def _of_markup(text: str) -> Iterator[Sign]:
    if "\r\n" in text:
        yield Sign("windows-line-ends", "texts have the line ends of Windows (\\r\\n)", MANY)
    if "&" in text:
        yield from _found(ENTITY, text, "html-entities", "texts hold HTML entities", SOME)
    if ("</" in text or "<br" in text or "<p>" in text) and "```" not in text:
        yield from _found(TAG, text, "html", "texts hold HTML", MANY)
    if "\\n" in text and "\n" not in text:
        yield from _found(
            ESCAPED, text, "escaped-line-breaks", "texts hold \\n as two characters and no line break", SOME
        )


def _may_hold_tokens(text: str) -> bool:
    return (
        "<|" in text
        or "<\uff5c" in text
        or "s>" in text
        or "INST]" in text
        or "SYS>" in text
        or "_turn>" in text
        or "## Ins" in text
        or "## Res" in text
        or "## Inp" in text
    )


def _of_asked(text: str) -> Iterator[Sign]:
    if "{" in text or "[" in text:
        yield from _found(SLOT, text, "unfilled-slot", "a prompt holds a slot that was never filled")
    if len(text) < 300 and " " not in text.strip() and IDENTIFIER.fullmatch(text):
        yield Sign(
            "prompt-is-identifier",
            f"the prompt is an address, a number or an identifier, got {text[:40]!r}",
            MOST,
        )
    if len(text) < 20 and text.strip().lower() in NOTHING:
        yield Sign("nothing-as-text", f"a prompt is the word for nothing, got {text.strip()!r}")
    if text.endswith(" ") and text.strip():
        yield Sign("spaces", "prompts end with a space, which tokenizers join with the next word", MANY)


def _of_reply(text: str) -> Iterator[Sign]:
    start = text[:80]
    if len(text) < 20 and start.strip().lower() in NOTHING:
        yield Sign("nothing-as-text", f"a reply is the word for nothing, got {start.strip()!r}")
    if start[:1] in "{'\" EeRrHhTt45" or "rror" in start or "timed" in start:
        yield from _found(FAILED, start, "reply-is-error", "a reply is the error of a program")
    if "User:" in text or "Human:" in text or "HUMAN:" in text or "USER:" in text or "\nQ:" in text:
        yield from _found(
            NEXT_TURN, text, "next-turn-in-reply", "a reply goes on with the user's next turn", SOME
        )
    if ":" in start and MARKED.match(start):
        yield Sign("speaker-name", f"replies begin with the name of the speaker, got {start[:30]!r}", MANY)
    if start.lstrip()[:1] in ("[", "{"):
        if PRINTED.match(start):
            yield Sign(
                "printed-messages",
                f"a reply is a list of messages that was written as text, got {start[:30]!r}",
            )
        elif QUOTED_JSON.fullmatch(text):
            yield Sign("json-in-text", f"replies are a value in JSON, got {start[:30]!r}", MOST)
        elif PRINTED_LIST.match(text):
            yield Sign(
                "printed-list", f"replies are lists that were written as text, got {start[:30]!r}", MOST
            )
    yield from _of_ends(text)


def _of_ends(text: str) -> Iterator[Sign]:
    if text[:1].isspace():
        yield Sign("spaces", "replies begin with white space", MANY)
    if len(text) > 10 * LOOP and text.count(text[-LOOP:]) >= 6 and not text[-LOOP:].isspace():
        yield Sign("repeats-itself", f"a reply repeats itself, got {text[-LOOP:]!r}")
    if "<think>" in text and "</think>" not in text:
        yield Sign("open-think", "a reply ends inside <think>")
    if "```" in text and text.count("```") % 2:
        yield Sign("open-code", "replies end inside a block of code (an odd number of ```)", SOME)
    if text.endswith(("...", "…")):
        yield Sign("three-dots", "replies end with three dots: they may be cut", MANY)
    if len(text) > LONG and text[0] == text[-1] == '"' and '"' not in text[1:-1]:
        yield Sign("quoted-reply", "replies stand in quotation marks", MOST)


def _between(asked: str, replies: tuple[str, ...]) -> Iterator[Sign]:
    question = asked.strip()
    if len(question) < LONG:
        return
    for reply in replies:
        answer = reply.strip()
        if answer == question:
            yield Sign("reply-is-prompt", "a reply is the prompt itself")
        elif answer.startswith(question):
            yield Sign("prompt-in-reply", "replies begin with the prompt")
        elif len(answer) >= LONG and question.endswith(answer):
            yield Sign("reply-in-prompt", "the prompt ends with the reply")


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text[:400].casefold())) + text[400:]


def _of_turns(shape: str, row: Row) -> Iterator[Sign]:
    name = "messages" if shape == "messages" else "prompt"
    turns = row.get(name)
    if not isinstance(turns, list):
        return
    roles = [turn.get("role") for turn in turns]
    spoken = [role for role in roles if role in ("user", "assistant")]
    yield from _of_tools(turns)
    if "system" in roles[1:]:
        yield Sign("system-behind", f"a system message stands behind the first message of {name}")
    if spoken[:1] == ["assistant"]:
        yield Sign("assistant-first", f"{name} begins with the assistant: nobody asked")
    if any(turn.get("role") == "assistant" and _says_nothing(turn) for turn in turns[:-1]):
        yield Sign("empty-turn", f"a reply in the middle of {name} is empty")
    twice = {one for one, two in pairwise(roles) if one == two}
    for role in ("user", "assistant"):
        if role in twice:
            yield Sign("same-role-twice", f"two messages of the {role} follow each other in {name}")
    if any(turn.get("role") == "system" and not str(turn.get("content") or "").strip() for turn in turns):
        yield Sign("empty-system", f"a system message in {name} is empty")


def _says_nothing(turn: Row) -> bool:
    return not (
        turn.get("tool_calls") or turn.get("reasoning_content") or str(turn.get("content") or "").strip()
    )


def _of_calls(row: Row) -> Iterator[Sign]:
    """A call of a tool that neither the row's tools nor a text of the system or the user (Hermes) names."""
    columns = [row.get(name) for name in ("messages", "prompt", "completion", "chosen", "rejected")]
    turns = [turn for turns in columns if isinstance(turns, list) for turn in turns]
    called = [call["function"]["name"] for turn in turns for call in turn.get("tool_calls", ())]
    if not called:
        return
    declared = {tool.get("function", tool).get("name") for tool in row.get("tools") or ()}
    asked = [str(turn.get("content")) for turn in turns if turn.get("role") in ("system", "user")]
    for name in called:
        if name not in declared and not any(name in text for text in asked):
            yield Sign("undeclared-tool", f"a reply calls a tool that is not declared, got {name!r}")
            return


def _of_tools(turns: list[Row]) -> Iterator[Sign]:
    """The result of a tool that no message before it called; calls may stand in a content as text."""
    asked = False
    for turn in turns:
        role = turn.get("role")
        if role == "tool" and not asked:
            yield Sign("tool-without-call", "a tool's message follows no call of a tool")
            return
        if role == "assistant":
            text = str(turn.get("content") or "")
            asked = bool(turn.get("tool_calls")) or any(sign in text for sign in CALLING)
        elif role != "tool":
            asked = False
