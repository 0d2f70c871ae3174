"""A chat template as Ollama's template, which is in the language of Go. Imports no ML library.

No Jinja is translated. The chat template renders a few conversations, and what it writes around the contents
is read off: before and after the message of each role, and where the reply begins. That is all of a regular
template (ChatML, Llama 2 and 3, Gemma, Phi 3, Zephyr, Command R and their relatives). Ollama's template is
written from these parts, and kept only if the parts give every conversation as the chat template renders it.
One that does more with plain messages (today's date, the system message in the last turn) has none.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ptx.models.chat import ChatTemplate, TemplateRefusalError, Turn

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
#: contents that no template writes itself
WORDS = {SYSTEM: "zqsystem{}", USER: "zquser{}", ASSISTANT: "zqassistant{}"}
#: conversations that are compared, by roles
TRIED = ("u", "uau", "uauau", "su", "suau", "suauau")
#: letters that need no escape in a string of Go
PLAIN = set(string.ascii_letters + string.digits + string.punctuation + " ") - set('"\\')
#: a part of a special token, where two texts part inside it
CUT_AT_END, CUT_AT_START = re.compile(r"[<\[][^>\]]*$"), re.compile(r"^[^<\[]*[>\]]")
ROLES = {"s": SYSTEM, "u": USER, "a": ASSISTANT}


@dataclass(frozen=True)
class Around:
    """What a chat template writes around the contents of messages, each part as (before, after)."""

    start: str  # of every conversation
    default: str  # the first part where there is no system message
    system: tuple[str, str] | None  # None: the template takes no system message
    user: tuple[str, str]
    assistant: tuple[str, str]
    ask: str  # the beginning of a reply
    folded: bool  # the system message stands in the first message of the user

    def text(self, turns: Sequence[Turn]) -> str:
        """Return the text of a conversation that ends where the reply begins: what Ollama writes."""
        parts = [self.start, "" if turns[0]["role"] == SYSTEM else self.default]
        for place, turn in enumerate(turns):
            before, after = getattr(self, turn["role"]) or ("", "")
            if self.folded and turn["role"] == USER and place == 1 and turns[0]["role"] == SYSTEM:
                before = ""
            parts += [before, turn["content"], after]
        return "".join([*parts, self.ask])

    def go(self) -> str:
        """Return the same as a template of Go, over Ollama's ``.Messages`` and ``.System``."""
        parts = [literal(self.start)]
        if self.default:
            parts.append(f"{{{{ if not .System }}}}{literal(self.default)}{{{{ end }}}}")
        parts.append("{{ range $i, $_ := .Messages }}")
        for number, role in enumerate(role for role in (SYSTEM, USER, ASSISTANT) if getattr(self, role)):
            before, after = map(literal, getattr(self, role))
            if role == USER and self.folded:
                before = f"{{{{ if not (and $.System (eq $i 1)) }}}}{before}{{{{ end }}}}"
            branch = "if" if number == 0 else "else if"
            parts.append(f'{{{{ {branch} eq .Role "{role}" }}}}{before}{{{{ .Content }}}}{after}')
        return "".join([*parts, "{{ end }}{{ end }}", literal(self.ask)])


def around(template: ChatTemplate, *, begins: bool) -> Around | None:
    """Return the parts of a regular template; None for any other.

    With ``begins`` the server puts the beginning-of-text token first itself: it is left out.
    """
    if any("strftime_now" in source for source in template.sources.values()):
        return None
    begin = template.tokens.get("bos_token", "")
    try:
        found = _parts(template, begin)
        tried = [conversation(roles) for roles in TRIED if found.system or "s" not in roles]
        if not all(found.text(turns) == template.render(turns, ask=True).text for turns in tried):
            return None
    except (TemplateRefusalError, ValueError):
        return None
    return replace(found, start="") if begins and found.start == begin else found


def conversation(roles: str) -> list[Turn]:
    """Return messages of these roles, each with a content of its own."""
    return [{"role": ROLES[r], "content": WORDS[ROLES[r]].format(n)} for n, r in enumerate(roles)]


def _parts(template: ChatTemplate, begin: str) -> Around:
    first, replied, again, asked = _between(template, "uau", ask=True)
    start = begin if first.startswith(begin) else ""
    first = first.removeprefix(start)
    closed = _between(template, "uau", ask=False)[-1]
    after_user = CUT_AT_END.sub("", first_in_common([asked, replied, closed]))
    head, middle = _system(template) or ("", "")
    head = head.removeprefix(start)
    folded = bool(middle) and head == first
    before_user = _last_in_common([again, first if folded or not middle else middle], after_user)
    system = (head, middle if folded else middle.removesuffix(before_user)) if head or middle else None
    return Around(
        start=start,
        default=first.removesuffix(before_user),
        system=system,
        user=(before_user, after_user),
        assistant=(replied.removeprefix(after_user), again.removesuffix(before_user)),
        ask=asked.removeprefix(after_user),
        folded=folded,
    )


def _between(template: ChatTemplate, roles: str, *, ask: bool) -> list[str]:
    """What stands before, between and after the contents of messages.

    Raises:
        ValueError: a content does not stand in the text once, in its order.
    """
    turns, parts = conversation(roles), []
    text = template.render(turns, ask=ask).text
    for turn in turns:
        before, found, text = text.partition(turn["content"])
        if not found or turn["content"] in text:
            raise ValueError(f"{turn['content']} does not stand there once")
        parts.append(before)
    return [*parts, text]


def _system(template: ChatTemplate) -> tuple[str, str] | None:
    """What stands before a system message and behind it; None where it is refused or lost."""
    try:
        head, middle, _ = _between(template, "su", ask=True)
    except (TemplateRefusalError, ValueError):
        return None
    return head, middle


def first_in_common(texts: Sequence[str]) -> str:
    """Return the longest common beginning."""
    least, most = min(texts), max(texts)
    return least[: next((n for n, one in enumerate(least) if one != most[n]), len(least))]


def _last_in_common(texts: Sequence[str], end: str) -> str:
    """The longest common ending; without the end of a message, where all begin with that."""
    common = CUT_AT_START.sub("", first_in_common([text[::-1] for text in texts])[::-1])
    return common.removeprefix(end) if end and common.startswith(end) else common


def literal(text: str) -> str:
    """Return text as Go's template and Ollama's file read it back."""
    parts = text.replace("{{", "\0{{\0").split("\0")
    plain = [part if _is_plain(part) else f"{{{{ {quoted(part)} }}}}" for part in parts if part]
    return "".join(plain)


def _is_plain(text: str) -> bool:
    """Whether text can stand before an action of a template; Ollama drops what is unprintable."""
    printable = all(letter.isprintable() or letter == "\n" for letter in text)
    return printable and "{{" not in text and '"""' not in text and not text.endswith("{")


def quoted(text: str) -> str:
    """Return a string of Go, in ASCII."""
    return '"' + "".join(one if one in PLAIN else f"\\U{ord(one):08x}" for one in text) + '"'
