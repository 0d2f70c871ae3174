"""The rows of a data set as tokens of a model: which are too long, and which have no embedding.

Rows are rendered with the model's chat template, and counted with its ``tokenizer.json``, without an ML
library. A token has at least one byte, so only rows with about more bytes than the limit are rendered and
counted: 100,000 short rows take no longer than one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from ptx.data import DataSet
from ptx.data.conversations import Conversation, conversations
from ptx.data.records import Fault, Record, finding, findings
from ptx.errors import Problem
from ptx.models.chat import ChatTemplate, TemplateRefusalError
from ptx.models.inspection import tensors_of, weight_files
from ptx.models.tokenizer_file import open_tokenizer

EMBEDDINGS = (
    "embed_tokens.weight",
    "wte.weight",
    "word_embeddings.weight",
    "embed_in.weight",
    "embeddings.weight",
)
#: longest examples in tokens that training keeps where method.max_length is not set and the context allows it
DEFAULT_LENGTH = 1024
COUNTED = 1000  # rows whose lengths are counted, evenly over the file
ENOUGH = 20  # rows that a statement on their lengths needs
LONGEST = 200  # rows with the most bytes among which the one with the most tokens is looked for
MANY = 0.1
Found = tuple[list[Problem], list[Problem]]
Place = tuple[str, int]  # file and line: the two sides of a pair are two examples of one place


class Limit(NamedTuple):
    """How many tokens a row may have, who says so, and how many the model can read.

    A longer row is cut, or left out (``leaves_out``) where a part of it means nothing, as for a reward model.
    """

    tokens: int | None
    who: str
    context: int | None = None
    leaves_out: bool = False


class Measured(NamedTuple):
    """A sentence on the longest row, and what is wrong or remarkable."""

    longest: str
    problems: Sequence[Problem] = ()
    notes: Sequence[Problem] = ()


@dataclass
class Example:
    """A row, the bytes of its values, and what renders it and the part of it that is asked."""

    record: Record
    size: int
    render: Callable[[], str]
    asked: Callable[[], str]

    @property
    def place(self) -> Place:
        """Where the row stands."""
        return self.record.file, self.record.line

    @cached_property
    def text(self) -> str:
        """The rendered row; empty where the template refuses it (:mod:`ptx.plan.rendering` tells that)."""
        return self.render()


def limit_of(method: Any, context: int | None) -> Limit:
    """The length at which a method cuts its rows; without a method (None) the model's context."""
    if method is None or not hasattr(method, "max_length"):
        return Limit(context, "the model's context")
    leaves_out = getattr(method, "makes", "model") != "model"
    if method.max_length is not None:
        return Limit(method.max_length, "method.max_length", context, leaves_out)
    least = min(DEFAULT_LENGTH, context or DEFAULT_LENGTH)
    return Limit(least, "the default of method.max_length", context, leaves_out)


def lengths(data: DataSet, shape: str, model: Path, limit: Limit) -> Measured:
    """The rows of ``shape`` as tokens of ``model``."""
    tokenizer = open_tokenizer(model)
    if tokenizer is None:
        return Measured(f"not counted, because {model} has no tokenizer.json")
    examples = [*_examples(data, shape, model)]
    if not examples:
        return Measured("no row can be rendered")
    problems, notes = _too_long(tokenizer, examples, limit) if limit.tokens else ([], [])
    problems += _without_embedding(model, tokenizer, examples)
    notes += _joined(examples) if ChatTemplate.of(model) is None else []
    notes += _begun_twice(tokenizer, examples) if shape == "text" else []
    return Measured(_longest(tokenizer, examples, limit), problems, notes)


def longest_example(data: DataSet, shape: str, model: Path) -> int | None:
    """The tokens of the longest row, prompt and answer together; None where they cannot be counted."""
    tokenizer = open_tokenizer(model)
    examples = sorted(_examples(data, shape, model), key=lambda one: one.size, reverse=True)[:LONGEST]
    if tokenizer is None or not examples:
        return None
    return max(_count(tokenizer, [example.text for example in examples]))


def _examples(data: DataSet, shape: str, model: Path) -> Iterator[Example]:
    """The rows, not rendered yet."""
    template = ChatTemplate.of(model)
    records = data.located(shape)
    if shape == "text":
        yield from (_plain(record, record.row["text"], "") for record in records)
    elif template is None:
        for record in records:
            prompt = record.row.get("prompt")
            replies = [record.row.get(name) for name in ("completion", "chosen", "rejected")]
            for reply in [reply for reply in replies if isinstance(reply, str)] or [""]:
                if isinstance(prompt, str):
                    yield _plain(record, prompt + reply, prompt)
    else:
        for said in conversations(shape, records):
            size = len(f"{said.turns}{said.tools or ''}".encode())
            whole = partial(_rendered, template, said, said.turns, said.ask)
            asked = said.turns if said.ask else said.turns[:-1]
            yield Example(said.record, size, whole, partial(_rendered, template, said, asked, True))


def _plain(record: Record, text: str, asked: str) -> Example:
    return Example(record, len(text.encode()), partial(str, text), partial(str, asked))


def _rendered(template: ChatTemplate, said: Conversation, turns: list[Any], ask: bool) -> str:
    try:
        return template.fit(turns, said.tools, ask=ask, **said.options).rendered.text if turns else ""
    except TemplateRefusalError:
        return ""


def _overhead(examples: Sequence[Example]) -> int:
    """Bytes that the template adds to the values at most: twice what it adds to some of the rows."""
    some = examples[:: max(1, len(examples) // 20)]
    return 64 + 2 * max(0, *(len(one.text.encode()) - one.size for one in some))


def _count(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    return [len(found.ids) for found in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]


def _longest(tokenizer: Any, examples: Sequence[Example], limit: Limit) -> str:
    """A sentence on the longest row, so that one sees what the limit leaves free."""
    widest = sorted(examples, key=lambda one: one.size, reverse=True)[:LONGEST]
    counts = _count(tokenizer, [example.text for example in widest])
    most = max(counts)
    typical = sorted(_count(tokenizer, [one.text for one in examples[:: max(1, len(examples) // COUNTED)]]))
    half, wide = (typical[int(share * (len(typical) - 1))] for share in (0.5, 0.95))
    place = widest[counts.index(most)].record.place
    bound = f"; {limit.who} is {limit.tokens}" if limit.tokens else ""
    counted = f"{len(examples)} example{'s' * (len(examples) != 1)}"
    spread = f" (half have at most {half}, 95 % at most {wide})" if len(examples) >= ENOUGH else ""
    return f"{counted}, the longest with {most} tokens ({place}){spread}{bound}"


def _too_long(tokenizer: Any, examples: Sequence[Example], limit: Limit) -> Found:
    """Rows that are cut or left out: a note; where nothing of most of them is left, a problem."""
    tokens = limit.tokens or 0
    room = tokens - _overhead(examples)
    wide = [one for one in examples if one.size > room and len(one.text.encode()) > tokens]
    counts = _count(tokenizer, [example.text for example in wide])
    cut = [(example, count) for example, count in zip(wide, counts, strict=True) if count > tokens]
    if not cut:
        return [], []
    total = len({one.place for one in examples})
    rows = {one.place: one.record for one, _ in cut}
    longest: dict[Place, int] = {}
    for one, count in cut:
        longest[one.place] = max(count, longest.get(one.place, 0))
    fix = _longer(sorted(longest.values()), total, limit)
    if limit.leaves_out:
        said = f"longer than {limit.who} ({tokens} tokens), so it is left out"
        if 2 * len(rows) > total:
            return [finding("most-left-out", [*rows.values()], said, total, fix)], []
        return [], [finding("left-out-rows", [*rows.values()], said, total, fix)]
    said = f"longer than {limit.who} ({tokens} tokens), so it is cut"
    found = finding("cut-rows", [*rows.values()], said, total, fix)
    notes = [found, *_same_before(tokenizer, [one for one, _ in cut], tokens, total)]
    asked = _count(tokenizer, [one.asked() for one, _ in cut])
    lost = {one.place: one.record for (one, _), count in zip(cut, asked, strict=True) if count >= tokens}
    if 2 * len(lost) <= total:
        return [], notes
    said = f"the prompt alone fills {limit.who} ({tokens} tokens), so nothing of the reply is trained"
    fix = f"raise method.max_length (longest prompt: {max(asked)} tokens), or shorten the prompts"
    return [finding("prompt-fills-context", [*lost.values()], said, total, fix)], []


def _longer(counts: Sequence[int], total: int, limit: Limit) -> str:
    """The length that keeps all rows, and the one that keeps 99 in 100; ``counts`` of those that are cut."""
    spared = int(0.01 * total)
    lengths = {_rounded(counts[-1]): "all of them"}
    if spared < len(counts):
        lengths.setdefault(_rounded(counts[-1 - spared]), "99 % of all rows")
    ways = [
        f"method.max_length={tokens} keeps {what}"
        for tokens, what in lengths.items()
        if limit.who != "the model's context" and (limit.context is None or tokens <= limit.context)
    ]
    return "; or ".join([*ways, "shorten the rows"])


def _rounded(tokens: int) -> int:
    return -(-tokens // 64) * 64


def _same_before(tokenizer: Any, cut: Sequence[Example], tokens: int, total: int) -> Iterator[Problem]:
    """Pairs, of ``total`` rows, whose sides are the same up to the cut."""
    sides: dict[Place, set[tuple[int, ...]]] = {}
    heads = tokenizer.encode_batch_fast([one.text for one in cut], add_special_tokens=False)
    both: dict[Place, list[Record]] = {}
    for one, found in zip(cut, heads, strict=True):
        sides.setdefault(one.place, set()).add(tuple(found.ids[:tokens]))
        both.setdefault(one.place, []).append(one.record)
    same = [found[0] for place, found in both.items() if len(found) == 2 and len(sides[place]) == 1]
    if same:
        yield finding(
            "same-before-cut",
            same,
            f"both sides are the same up to the cut at {tokens} tokens",
            total,
            "raise method.max_length, or shorten the prompt",
        )


def _without_embedding(model: Path, tokenizer: Any, examples: Sequence[Example]) -> Iterator[Problem]:
    """Rows with tokens that the model has no embedding for: its forward pass would end in an index error."""
    rows = _embeddings(model)
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    if rows is None or highest < rows:
        return
    faults = []
    found = tokenizer.encode_batch_fast([example.text for example in examples], add_special_tokens=True)
    for example, tokens in zip(examples, found, strict=True):
        beyond = next((token for token in tokens.ids if token >= rows), None)
        if beyond is not None:
            what = f"a token of it has no embedding in {model} ({rows} rows)"
            got = f"{what}, got {tokenizer.id_to_token(beyond)!r} (id {beyond})"
            fix = "resize the model's embeddings, or take the token out"
            faults.append(Fault(example.record, got, fix, name="no-embedding"))
    yield from findings(faults, len(examples))


def _embeddings(model: Path) -> int | None:
    """The number of rows of the embedding, from the headers of the weights, else from config.json."""
    for file in weight_files(model):
        for name, _, shape in tensors_of(file):
            if name.endswith(EMBEDDINGS) and len(shape) == 2 and "position" not in name:
                return shape[0]
    size = json.loads((model / "config.json").read_text(encoding="utf-8")).get("vocab_size")
    return size if isinstance(size, int) else None


def _joined(examples: Sequence[Example]) -> list[Problem]:
    """Without a chat template prompt and reply are one text: often they need a space or a line break."""
    split = [(one, one.asked()) for one in examples]
    tight = [(one, asked) for one, asked in split if asked and _is_tight(asked[-1], one.text[len(asked) :])]
    if not tight or len(tight) < MANY * len(examples):
        return []
    first, asked = tight[0]
    seam = first.text[max(0, len(asked) - 12) : len(asked) + 12]
    places = [one.record for one, _ in tight]
    what = f"prompt and reply are joined without a space, got {seam!r}"
    return [finding("joined-without-space", places, what, len(examples))]


def _is_tight(before: str, reply: str) -> bool:
    return bool(reply) and not before.isspace() and not reply[0].isspace()


def _begun_twice(tokenizer: Any, examples: Sequence[Example]) -> list[Problem]:
    """Texts that write out the token that the tokenizer puts before every text."""
    starts = tokenizer.encode_batch_fast([one.text[:40] for one in examples], add_special_tokens=True)
    twice = [
        one.record
        for one, found in zip(examples, starts, strict=True)
        if len(found.ids) > 1 and found.ids[0] == found.ids[1] and one.text.startswith("<")
    ]
    if not twice:
        return []
    what = "begins with the beginning-of-text token, which the tokenizer adds once more"
    return [finding("two-starts", twice, what, len(examples))]
