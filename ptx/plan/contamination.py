"""Training rows that hold what the evaluation asks: 13 words in a row, or a whole question.

13-grams: :mod:`ptx.stats.ngrams`. What is measured on such items is memory. It is a note and no problem:
quotations and common texts are shared for good reasons, and ``make=select make.by=overlap`` drops the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ptx.config import Evaluator
from ptx.data import COLUMNS, DataSet
from ptx.data.findings.suspect import LONG
from ptx.data.findings.suspect import texts_of as asked_and_said
from ptx.data.records import Record, finding
from ptx.errors import Problem
from ptx.stats.ngrams import known_of, sharing, texts_at, texts_of

WORDS = 13
LEFT_OUT = ("answer", "label", "harmful")


def contamination(data: DataSet, shape: str, evaluators: Mapping[str, Evaluator]) -> list[Problem]:
    """A note for each evaluator that asks what rows of ``shape`` hold."""
    return [note for name, one in evaluators.items() for note in _shared(data, shape, name, one)]


def _shared(data: DataSet, shape: str, name: str, evaluator: Evaluator) -> list[Problem]:
    files = [path for path in evaluator.inputs() if path.exists()]
    key = f"shared with {sorted(map(str, files))}"
    found: list[Record] = data.once(key, shape, lambda: _holding(data, shape, files)) if files else []
    if not found:
        return []
    what = f"holds a text of eval.{name} ({WORDS} words in a row, or its whole question)"
    return [finding("known-to-evaluator", found, what, len(data.located(shape)))]


def _holding(data: DataSet, shape: str, files: list[Any]) -> list[Record]:
    try:
        asked = [text for path in files for text in texts_at(path)]
    except (ValueError, OSError):
        return []  # the evaluator tells what is wrong with its files
    known, items = known_of(asked, WORDS), _items(asked)
    records = data.located(shape)
    names = [name for name in COLUMNS[shape] if name not in LEFT_OUT]
    texts = [texts_of([record.row.get(name) for name in names]) for record in records]
    shared = sharing(texts, known, WORDS)
    return [
        record
        for record, same in zip(records, shared, strict=True)
        if same or any(text.strip() in items for text in asked_and_said(shape, record.row).asked[-1:])
    ]


def _items(texts: list[str]) -> set[str]:
    """Texts that stand once among the items: a short question that a row asks in the same words."""
    counts = Counter(text.strip() for text in texts)
    return {text for text, count in counts.items() if count == 1 and len(text) >= LONG}
