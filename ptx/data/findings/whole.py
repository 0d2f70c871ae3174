"""Signs of a mistake that only all rows together show: repeats, contradictions, one reply for everything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ptx.data.findings.suspect import LONG, MANY, MOST, Texts
from ptx.data.records import Record, column_word, finding, of_all
from ptx.data.values import number
from ptx.errors import Problem

#: what announces an answer
ANNOUNCED = re.compile(r"(?:\b(?:answer|solution|a):|\banswer is|####)", re.IGNORECASE)
ENOUGH = 20  # rows that a statement on a share needs
WORDS = 30  # of a reply that was cut to a number of words
#: columns that score the two sides of a pair
SCORES = (
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen-rating", "rejected-rating"),
    ("chosen_rating", "rejected_rating"),
    ("reward_chosen", "reward_rejected"),
    ("chosen_reward", "rejected_reward"),
)


def notes(
    shape: str, records: Sequence[Record], texts: Sequence[Texts], parts: Mapping[str, str]
) -> Iterator[Problem]:
    """What the rows of ``shape`` show together.

    ``texts`` are those of the records, in their order; ``parts`` says which column of the file plays which
    part.
    """
    yield from _repeats(records)
    if shape == "prompts" and all(record.row["answer"] is None for record in records):
        yield of_all("no-reference", "the prompts have no answers", places=records)
    if shape == "prompts":
        yield from _one_reference(records)
        yield from _told(records)
        yield from _two_answers(records)
    if shape == "safety":
        yield from _one_kind(records)
    if shape == "thumbs":
        yield from _imbalance(records)
        yield from _torn(records)
        yield from _blocks(records)
    if shape == "pairs":
        yield from _both_repeat(records, texts)
        yield from _contradictions(records)
        yield from _lengths(texts)
        yield from _scores(records, parts)
    if shape in ("messages", "completions", "thumbs", "pairs"):
        yield from _uniform(records, texts)
    if shape in ("messages", "completions", "thumbs"):
        yield from _cut(records, texts)
    if shape in ("completions", "prompts"):
        yield from _one_prompt(texts)
        yield from _numbered(texts)
    if shape == "completions":
        yield from _swapped(texts, parts)


def _key(value: Any) -> int:
    """Equal for equal values: a hash of 64 bits, a third of the time of a digest."""
    return hash(repr(value))


def _repeats(records: Sequence[Record]) -> Iterator[Problem]:
    seen: dict[int, Record] = {}
    twice = [record for record in records if seen.setdefault(_key(record.row), record) is not record]
    if len(twice) >= MANY * len(records):
        what = f"{len(twice)} of {len(records)} rows repeat an earlier one; the first is {twice[0].place}"
        yield of_all("repeated-rows", what, places=twice)


def _told(records: Sequence[Record]) -> Iterator[Problem]:
    told = [record for record in records if _tells(record.row["prompt"], record.row["answer"])]
    if told:
        yield finding("answer-in-prompt", told, "the prompt holds its own answer", len(records))


def _tells(prompt: Any, answer: Any) -> bool:
    """Whether the answer stands behind the only word for it, or as a long text at the end."""
    asked, wanted = _last(prompt).rstrip(" .\n"), str(answer if answer is not None else "").strip(" .\n")
    if not wanted or wanted not in asked:
        return False
    if len(wanted) >= LONG and asked.endswith(wanted):
        return True
    parts = ANNOUNCED.split(asked)
    said = parts[-1].lstrip()
    return len(parts) == 2 and said.startswith(wanted) and not said[len(wanted) : len(wanted) + 1].isalnum()


def _one_reference(records: Sequence[Record]) -> Iterator[Problem]:
    answers = {str(record.row["answer"]) for record in records}
    if len(answers) == 1 and len(records) >= 5 and "None" not in answers:
        what = f"all {len(records)} answers are {answers.pop()[:60]!r}"
        yield of_all("one-reference", what, places=records)


def _blocks(records: Sequence[Record]) -> Iterator[Problem]:
    """Labels that change once or twice in the file: it was sorted by them."""
    labels = [record.row["label"] for record in records]
    changes = sum(one != two for one, two in pairwise(labels))
    rarer = min(labels.count(True), labels.count(False))
    if len(labels) >= ENOUGH and rarer >= 5 and changes <= 2:
        first = str(labels[0]).lower()
        yield of_all(
            "labels-in-blocks", f"the {len(labels)} labels stand in {changes + 1} blocks, {first} first"
        )


def _two_answers(records: Sequence[Record]) -> Iterator[Problem]:
    """The same prompt with different answers: one of them is rewarded as wrong."""
    answers: dict[int, Any] = {}
    other = []
    for record in records:
        if answers.setdefault(_key(record.row["prompt"]), record.row["answer"]) != record.row["answer"]:
            other.append(record)
    if other:
        what = "an earlier row has the same prompt and another answer"
        yield finding("two-answers", other, what, len(records))


def _one_kind(records: Sequence[Record]) -> Iterator[Problem]:
    kinds = {record.row["harmful"] for record in records}
    if len(kinds) == 1 and len(records) >= 5:
        kind, lacking = "harmless", "compliance with harmful ones"
        if kinds.pop():
            kind, lacking = "harmful", "refusals of harmless ones"
        what = f"all {len(records)} prompts are {kind}: {lacking} cannot be measured"
        yield of_all("one-kind", what, places=records)


def _last(value: Any) -> str:
    """A text, or the text of the last message of a list."""
    return str(value if isinstance(value, str) else value[-1].get("content") or "")


def _imbalance(records: Sequence[Record]) -> Iterator[Problem]:
    liked = sum(record.row["label"] is True for record in records)
    disliked = sum(record.row["label"] is False for record in records)
    if liked and disliked and max(liked, disliked) >= 10 * min(liked, disliked):
        yield of_all("labels-unbalanced", f"the labels are unbalanced: {liked} true, {disliked} false")


def _torn(records: Sequence[Record]) -> Iterator[Problem]:
    """The same reply to the same prompt with both labels."""
    labels: dict[int, bool] = {}
    torn = []
    for record in records:
        key = _key([record.row["prompt"], record.row["completion"]])
        if labels.setdefault(key, record.row["label"]) is not record.row["label"]:
            torn.append(record)
    if torn:
        yield finding("both-labels", torn, "the same reply to the same prompt has both labels", len(records))


def _both_repeat(records: Sequence[Record], texts: Sequence[Texts]) -> Iterator[Problem]:
    both = []
    for record, text in zip(records, texts, strict=True):
        asked = text.asked[-1].strip() if text.asked else ""
        if len(asked) >= LONG and all(reply.lstrip().startswith(asked) for reply in text.replies):
            both.append(record)
    if both:
        what = f"{len(both)} of {len(records)} pairs repeat the prompt in chosen and in rejected"
        yield of_all("prompt-in-reply", f"{what}; the first is {both[0].place}", places=both)


def _contradictions(records: Sequence[Record]) -> Iterator[Problem]:
    """Two rows that prefer the other side of the same pair."""
    seen: set[int] = set()
    against = []
    for record in records:
        prompt, chosen, rejected = (record.row[name] for name in ("prompt", "chosen", "rejected"))
        if _key([prompt, rejected, chosen]) in seen:
            against.append(record)
        seen.add(_key([prompt, chosen, rejected]))
    if against:
        what = "prefers what an earlier row rejects of the same pair"
        yield finding("both-orders", against, what, len(records))


def _lengths(texts: Sequence[Texts]) -> Iterator[Problem]:
    """One side is always the longer one by far: its length alone tells them apart."""
    sizes = [(len(text.replies[0]), len(text.replies[-1])) for text in texts if len(text.replies) > 1]
    if len(sizes) < ENOUGH:
        return
    for side, longer in (("chosen", 0), ("rejected", 1)):
        count = sum(pair[longer] > 2 * pair[1 - longer] for pair in sizes)
        if count >= 0.95 * len(sizes):
            what = f"{side} is more than twice as long in {count} of {len(sizes)} pairs"
            yield of_all("length-tells", f"{what}: length alone tells the sides apart")


def _scores(records: Sequence[Record], parts: Mapping[str, str]) -> Iterator[Problem]:
    tied = [record for record in records if _is_tie(record.row)]
    if tied:
        yield finding("equal-scores", tied, "the row is marked as a tie", len(records))
    for chosen, rejected in SCORES:
        scored = [
            record
            for record in records
            if None not in (number(record.row.get(chosen)), number(record.row.get(rejected)))
        ]
        ahead = {id(record): float(record.row[chosen]) - float(record.row[rejected]) for record in scored}
        wrong = [record for record in scored if ahead[id(record)] < 0]
        ties = [record for record in scored if ahead[id(record)] == 0]
        if scored and len(ties) >= MANY * len(records):
            what = f"{chosen} and {rejected} are equal: the row prefers nothing"
            yield finding("equal-scores", ties, what, len(records))
        if wrong:
            swapped = len(wrong) >= MANY * len(records)
            what = f"{chosen} is less than {rejected}" + ": the sides may be swapped" * swapped
            fix = _swap(parts, "chosen", "rejected") if swapped else "delete these rows, or swap their sides"
            yield finding("scored-below", wrong, what, len(records), fix)


def _is_tie(row: Mapping[str, Any]) -> bool:
    """Argilla's ``status: tie``, and columns of that name."""
    return row.get("tie") is True or row.get("is_tie") is True or row.get("status") == "tie"


def _swap(parts: Mapping[str, str], one: str, two: str) -> str:
    first, second = parts.get(one, one), parts.get(two, two)
    return f"{column_word(one, second)} {column_word(two, first)} swaps them"


def _uniform(records: Sequence[Record], texts: Sequence[Texts]) -> Iterator[Problem]:
    """One reply that answers most rows; the words before a call of a tool are none."""
    told = zip(records, texts, strict=True)
    texts = [text for record, text in told if not _calls(record.row)]
    for place in (0, -1) if any(len(text.replies) > 1 for text in texts) else (-1,):
        yield from _of_one([text.replies[place].strip() for text in texts if text.replies])


def _calls(row: Mapping[str, Any]) -> bool:
    return any(turn.get("tool_calls") for turn in row.get("messages", ()))


def _of_one(replies: Sequence[str]) -> Iterator[Problem]:
    if len(replies) < 5:
        return
    reply, count = Counter(replies).most_common(1)[0]
    if count == len(replies) or (count >= MOST * len(replies) and len(reply) >= LONG):
        yield of_all("one-reply", f"{count} of {len(replies)} rows have the same reply: {reply[:60]!r}")


def _cut(records: Sequence[Record], texts: Sequence[Texts]) -> Iterator[Problem]:
    """Many replies of exactly the greatest length, in the middle of a sentence: they were cut to it."""
    replies = [text.replies[-1] if text.replies else "" for text in texts]
    longest = max(map(len, replies), default=0)
    cut = [
        record
        for record, reply in zip(records, replies, strict=True)
        if len(reply) == longest and not reply.rstrip().endswith((".", "!", "?", '"', ")", "`", "。"))
    ]
    if longest >= 100 and len(cut) >= max(3, 0.02 * len(records)):
        what = f"the reply ends in the middle at {longest} characters, as the longest do"
        yield finding("cut-replies", cut, what, len(records))
        return
    words = [reply.count(" ") + 1 for reply in replies]
    most = max(words, default=0)
    cut = [
        record
        for record, reply, count in zip(records, replies, words, strict=True)
        if count == most and reply[-1:].isalnum()
    ]
    if most >= WORDS and len(cut) >= max(ENOUGH / 2, MANY * len(records)):
        what = f"the reply ends in the middle at {most} words, as the longest do"
        yield finding("cut-replies", cut, what, len(records))


def _one_prompt(texts: Sequence[Texts]) -> Iterator[Problem]:
    prompts = {text.asked[-1].strip() for text in texts if text.asked}
    if len(texts) >= ENOUGH and len(prompts) == 1:
        yield of_all("one-prompt", f"all {len(texts)} rows have the same prompt: {prompts.pop()[:60]!r}")


def _numbered(texts: Sequence[Texts]) -> Iterator[Problem]:
    """Prompts that are the numbers of the rows: an index was exported as a column."""
    prompts = [text.asked[-1].strip() for text in texts if text.asked]
    if len(prompts) < ENOUGH or not prompts[0].isdecimal():
        return
    start = int(prompts[0])
    if all(prompt == str(number_) for number_, prompt in enumerate(prompts, start)):
        what = f"the prompts are the numbers of the rows, from {start} to {prompts[-1]}"
        yield of_all("prompt-is-identifier", what)


def _swapped(texts: Sequence[Texts], parts: Mapping[str, str]) -> Iterator[Problem]:
    """The replies ask and the prompts do not: the columns may be swapped."""
    both = [(text.asked[-1], text.replies[0]) for text in texts if text.asked and text.replies]
    asking = sum(reply.rstrip().endswith("?") for _, reply in both)
    asked = sum("?" in prompt for prompt, _ in both)
    if len(both) >= 5 and asking >= 0.8 * len(both) and asked <= 0.1 * len(both):
        said = f"{asking} of {len(both)} replies end with a question mark, and {asked} prompts have one"
        yield of_all("swapped-columns", said, _swap(parts, "prompt", "completion"))
