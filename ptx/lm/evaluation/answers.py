r"""Extract the answer from a text: what it marks as its answer, or its last number. Imports no ML library.

Scorers compare it with a reference, a vote counts the replies with the same answer, and reliability checks
whether a source contains its numbers. Whether two answers are the same is decided in
:mod:`ptx.lm.evaluation.equality`. A reply may hold anything, so every pattern here takes time linear in it.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction

from ptx.lm.evaluation.quantities import NUMBER, numbers, quantity

FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*([-+]?[\d.,]+)\s*\}\s*\{\s*(\d+)\s*\}|(\d)\s*(\d)(?!\d))")
#: a box's beginning, any other command or escaped character, a brace
BRACES = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
BARE_BOX = re.compile(r"\\boxed\s+([^\s{}$]+)")
HASHES = re.compile(r"####[ \t]*([^\n]*)")
#: "The final answer is", "**Answer:**", "La respuesta es", "The correct option is"
PHRASE = re.compile(
    r"\b(?:(?:answer|respuesta|antwort|réponse)"
    r"|(?:correct|right|best|final)\s+(?:option|choice|result|value))"
    r"\b(?:\s+(?:to|for|of)\b[^.:=\n]{1,80}?)?[\s*_]{0,4}"
    r"(?:(?:is|es|ist|est|would\s+be|should\s+be|must\s+be)\b(?:[ \t]*[:=])?|[:=])[*_]{0,4}",
    re.IGNORECASE,
)
#: the end of a sentence, but not the point of an initial or of "No. 5"
SENTENCE_END = re.compile(r"(?<!\b[A-Za-z])(?<!\b(?:No|St|Dr|Mr|Ms))(?<!\bMrs)[.!?](?=\s+[A-Z\"'(*])")
#: a reason or a remark behind an answer
REMARK = re.compile(
    r",?\s+(?:because|since|weil|porque|denn|as\s+we|which\s+(?:is|means)|instead\s+of|rather\s+than)\b"
    r"|,\s*(?:and\s+)?(?:not|so|thus|hence|therefore|meaning|making)\b"
    r"|\s*\.?\s*I\s+hope\b|\s\((?=[^()$\\]*[a-z]{3,}[^()$\\]*\)?\W*$)",
)
#: what may stand between boxes that together are one answer
BETWEEN_BOXES = re.compile(r"[\s$,;.()\\]*(?:\b(?:and|or|y|o|und|oder)\b[\s$,;()\\]*)?", re.IGNORECASE)
MATHS = re.compile(
    r"\$\$([^$]+)\$\$|(?<![\\$])\$([^$\n]+)\$|\\\(((?:[^\\\n]|\\(?![()]))+)\\\)"
    r"|\\\[((?:[^\\]|\\(?![\[\]]))+)\\\]"
)
#: what stands before a number that is one of two, an end of a range, or denied
ALTERNATIVE = re.compile(
    r"(?:\b(?:or|oder|o)\b|/|\bbetween\b[^.\n]*\b(?:and|und)\b|\bnot(?:\s+(?:be|equal(?:\s+to)?))?)[\s$€£]*$",
    re.IGNORECASE,
)
#: letters of variables, operators and commands: the text is a formula and no sentence about a number
#: what makes a number a term or a factor of a formula: the 2 of 2x, the 5 of x^2 + 5
TERM = re.compile(r"(?<![a-zA-Z])[a-zA-Z](?:\^\{?\d+\}?)?\)?(?:\s?[+*/^]\s?|-)$|(?:\\pm|±)\s*$")
FACTOR = re.compile(r"[\^_]|[a-zA-Z](?![a-zA-Z])(?<![mgshlLNJWVAKCFdkM])|[-+*/]\d*[a-zA-Z](?![a-zA-Z])")
FORMULA = re.compile(r"\\(?![%$])|[\^{}_]|\w\s*[+*=]|\d[a-zA-Z]\b|\b[a-zA-Z]\d")
PLAIN = str.maketrans(
    {**dict.fromkeys("\u2212\u2013\ufe63\uff0d", "-"), "\u2044": "/"}
)  # minus signs, fraction slash
EDGES = " .,;:!?\"'`*_()[]"
NEAR = 24  # characters before a text's last number in which an "or" makes it one of two


def normal(text: str, *, case: bool = False) -> str:
    """The text in Unicode NFKC, spaces and punctuation at its ends normalised; lower case unless ``case``."""
    text = " ".join(unicodedata.normalize("NFKC", text).split()).strip(EDGES)
    return text if case else text.casefold()


def final(text: str) -> str:
    """The text without its reasoning: what follows the last ``</think>``; nothing if that never comes."""
    _, closed, rest = text.rpartition("</think>")
    return rest if closed or "<think>" not in text else ""


def marked(text: str) -> str | None:
    r"""What a text marks as its answer; None without a mark.

    The marks are, the most explicit first: ``####``, ``\boxed{}``, and a phrase such as "the answer is". The
    last one of a kind counts. Boxes side by side ("$\boxed{1}$ or $\boxed{2}$") are one answer, a list. A box
    that is opened and never closed (a reply that was cut off) is an empty answer. Reasoning between
    ``<think>`` and ``</think>`` states nothing.
    """
    text = final(text).translate(PLAIN)
    hashes = [match[1].strip() for match in HASHES.finditer(text) if match[1].strip()]
    if hashes:
        return boxed(hashes[-1]) if "\\boxed" in hashes[-1] else hashes[-1]
    if "\\boxed" in text or "\\fbox" in text:
        return boxed(text)
    ends = [match.end() for match in PHRASE.finditer(text)]
    return clause(text[ends[-1] :]) if ends else None


def stated(text: str) -> str:
    """The answer that a text marks, else the whole text; punctuation at the ends is removed."""
    found = marked(text)
    return trimmed(final(text).translate(PLAIN) if found is None else found)


def trimmed(text: str) -> str:
    """The text without spaces, quotes, emphasis and punctuation at its ends; the point of ".5" stays."""
    return text.rstrip(" .,;:?\"'`*_\n\t").lstrip(" ,;:?\"'`*_\n\t")


def boxed(text: str) -> str:
    r"""The content of the last ``\boxed{}``, and of boxes right before it, with all braces inside."""
    found = list(_boxes(text))
    if not found:
        bare = BARE_BOX.findall(text)
        return bare[-1].rstrip(".,;") if bare else ""
    chosen = [found[-1]]
    for box in reversed(found[:-1]):
        if not BETWEEN_BOXES.fullmatch(text, box[2] + 1, chosen[0][0]):
            break
        chosen.insert(0, box)
    return ", ".join(dict.fromkeys(text[start:end].strip() for _, start, end in chosen))


def _boxes(text: str) -> Iterator[tuple[int, int, int]]:
    """(Start of the command, start of the content, place of the closing brace) of the innermost boxes."""
    opened: list[tuple[int, int] | None] = []
    closed: list[tuple[int, int, int]] = []
    for match in BRACES.finditer(text):
        command = match[0].startswith("\\")
        if (command and not match[0].endswith("{")) or match[0] == "\\{":
            continue
        if match[0] != "}":
            opened.append((match.start(), match.end()) if command else None)
        elif opened and (box := opened.pop()) and (not closed or closed[-1][0] < box[0]):
            closed.append((*box, match.start()))  # a box around another one is left out
    yield from closed


def clause(rest: str) -> str:
    """The answer at the beginning of ``rest``: its first line with text, up to the end of the sentence."""
    shown = MATHS.match(rest.lstrip(" *_:\n"))
    if shown and "\n" in shown[0]:  # displayed maths has lines of its own
        return next(part for part in shown.groups() if part).strip()
    line = next((line.strip() for line in rest.split("\n") if line.strip(" *_`")), "")
    line = SENTENCE_END.split(line, maxsplit=1)[0]
    return REMARK.split(line, maxsplit=1)[0].strip()


def concluded(text: str) -> str | None:
    """The last formula or number of a text without a mark; None if there is none, or it offers two."""
    text = final(text).translate(PLAIN)
    formulas, numbers = list(MATHS.finditer(text)), list(NUMBER.finditer(text))
    found = [part[-1] for part in (formulas, numbers) if part]
    last = max(found, key=lambda one: (one.end(), -one.start()), default=None)
    if last is None or ALTERNATIVE.search(text[max(0, last.start() - NEAR) : last.start()]):
        return None
    if formulas and last is formulas[-1]:
        return next(part for part in last.groups() if part).strip()
    before = text[max(0, last.start() - NEAR) : last.start()] + last["sign"]
    if TERM.search(before) or FACTOR.match(text, last.end()):
        return None
    return last[0] + ("%" if re.match(r"\s*\\?%", text[last.end() :]) else "")


def plain_fractions(text: str) -> str:
    r"""The text in Unicode NFKC with ``\frac{3}{4}`` and ``\frac34`` as 3/4 and "-" for all minus signs."""
    text = unicodedata.normalize("NFKC", text).translate(PLAIN)
    return FRACTION.sub(lambda match: "/".join(part for part in match.groups() if part), text)


def number_in(text: str) -> Fraction | None:
    r"""The number that a text gives as its answer; None if there is none.

    It is the marked answer's first number, else the last number of the text. In a marked formula only a
    number alone behind the last "=" counts: the 2 of ``\boxed{x^{2}+1}`` is no answer.
    """
    text = plain_fractions(final(text))
    answer = marked(text)
    if answer is None or (not answer and "\\boxed" not in text):
        return next(numbers(reversed(list(NUMBER.finditer(text)))), None)
    found = quantity(answer.rpartition("=")[2].strip(" $.*"))
    if found:
        return found.value
    return None if FORMULA.search(answer) else next(numbers(NUMBER.finditer(answer)), None)


def vote(text: str) -> str:
    """The answer of a reply in a normal form, so that equal answers are equal texts.

    ``19``, ``19.0``, ``$19`` and a sentence whose only number is 19 are equal; without a number the
    normalised words are compared.
    """
    answer = stated(plain_fractions(text))
    first = list(itertools.islice(numbers(NUMBER.finditer(answer)), 2))
    return str(first[0]) if len(first) == 1 and not FORMULA.search(answer) else normal(answer)
