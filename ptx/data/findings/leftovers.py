"""What an export left in the texts of a row: buttons of a page, times of a log, the system text again.

Like the signs of :mod:`ptx.data.findings.suspect`: notes that stop nothing, told from a share of the rows on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ptx.data.findings.suspect import LONG, MANY, MOST, SOME, Sign, Texts
from ptx.data.records import Row

#: a line of its own that ChatGPT's page has beside a reply (as copies of ShareGPT hold it)
BUTTON = re.compile(r"^\s*(?:Regenerate response|Copy code)\s*$", re.MULTILINE)
TIME = re.compile(r"\s*\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?Z?\]?[\s:-]+[^\W\d]")
#: a letter as the JSON that it was written in: \u00e9
ESCAPED_LETTER = re.compile(r"\\u[0-9a-fA-F]{4}")
NO_BREAK = "\u00a0"
FEW = 3  # no-break spaces that a text needs: French has some


def leftovers(row: Row, texts: Texts) -> Iterator[Sign]:
    """The signs in a row."""
    for text in (*texts.asked, *texts.replies):
        if NO_BREAK in text and text.count(NO_BREAK) >= max(FEW, text.count(" ")):
            what = "texts hold no-break spaces in place of spaces"
            yield Sign("invisible-characters", f"{what}, got {text[:30]!r}", SOME)
    for text in texts.replies:
        yield from _of_reply(text)
    yield from _system_again(row)


def _of_reply(text: str) -> Iterator[Sign]:
    if ("Regenerate response" in text or "Copy code" in text) and (button := BUTTON.search(text)):
        yield Sign("page-text", f"replies hold a button of the page, got {button[0].strip()!r}", SOME)
    if text[:3].lstrip("[ ")[:1].isdigit() and TIME.match(text):
        yield Sign("time-before-reply", f"replies begin with a time, got {text[:30]!r}", MOST)
    if "\\u" in text and "```" not in text and "{" not in text and (letter := ESCAPED_LETTER.search(text)):
        yield Sign("escaped-letters", f"replies hold letters as escapes, got {letter[0]!r}", MANY)


def _system_again(row: Row) -> Iterator[Sign]:
    """The system text at the beginning of the user's messages too."""
    turns = row.get("messages") or row.get("prompt")
    if not isinstance(turns, list) or turns[0].get("role") != "system":
        return
    system = str(turns[0].get("content") or "").strip()
    said = [str(turn.get("content") or "") for turn in turns if turn.get("role") == "user"]
    if len(system) >= LONG and any(text.lstrip().startswith(system) for text in said):
        yield Sign("system-repeated", "a user's message begins with the system text", SOME)
