"""A revision as an answer: without the words that a model puts around it, and without what it was asked for.

A model likes to announce its revision ("Here is the revised answer:") and to explain it afterwards. Trained
on that, it would talk of revisions that nobody has asked for. What stands around the answer is cut off by
rules. Where eight words in a row still come from the critique or from the principle, and not from the prompt
or from the first answer, the row is of no use.
"""

from __future__ import annotations

import re

from ptx.stats.ngrams import ngrams

SHARED = 8
_MARKS = r"[*_#\s\"“]*"
_WHAT = r"(?:answer|response|reply|version)"
_NEW = r"(?:revised|rewritten|reworded|improved|updated|corrected|new|better|safer|final)"
_NAMED = rf"(?:{_NEW}\s+(?:\w+\s+)?{_WHAT}|revision|rewrite)"
#: "Sure! Here is the revised answer:", "**Revised response:**", "Revision:"
PREFACE = re.compile(
    rf"^{_MARKS}(?:(?:sure|certainly|of course|okay|ok|absolutely)\b[^\n:]{{0,30}}[,.!:]\s*)?"
    rf"(?:here(?:'s|\u2019s| is)\s+[^\n:]{{0,40}}{_NAMED}\b[^\n:]{{0,60}}:"
    rf"|(?:my |the |a )?{_NAMED}{_MARKS}:"
    rf"|(?:assistant|response|reply)\s*:)[*_\s]*",
    re.IGNORECASE,
)
#: a reply that holds its critique too: what follows the last heading of a revision is the answer
HEADED = re.compile(
    rf"^{_MARKS}(?:critique|criticism)\b.*\n{_MARKS}(?:{_NAMED}|{_WHAT})\s*:{_MARKS}",
    re.IGNORECASE | re.DOTALL,
)
#: a paragraph at the end that speaks of the revision
NOTE = re.compile(
    r"\n\s*\n[*_#\s(\[]*(?:note|changes|explanation|critique|i\b|this\b)(?:(?!\n\s*\n).)*?"
    r"\b(?:revis|rewr|rephras|reword|remov|my (?:earlier|previous|first|original)|chang).*\Z",
    re.IGNORECASE | re.DOTALL,
)
QUOTED = re.compile(r"\A[\"“](.*)[\"”]\Z", re.DOTALL)


def cleaned(text: str) -> str:
    """The answer in a revision: without announcement, headings, closing note, or quotes around all of it."""
    body = HEADED.sub("", text.strip(), count=1)
    before = None
    while before != body:
        before, body = body, PREFACE.sub("", body, count=1).strip()
    body = NOTE.sub("", body).strip()
    if (quoted := QUOTED.match(body)) and not re.search(r"[\"“”]", quoted[1]):
        body = quoted[1].strip()
    return body


def leaks(answer: str, asked: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Whether the answer repeats what was ``asked`` or said of it, and what is not in the ``known`` texts."""
    from_asked = {gram for text in asked for gram in ngrams(text, SHARED)}
    from_known = {gram for text in known for gram in ngrams(text, SHARED)}
    return not ngrams(answer, SHARED).isdisjoint(from_asked - from_known)
