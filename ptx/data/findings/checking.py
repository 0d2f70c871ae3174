"""Finds mistakes in rows that can be read, before training: with most of them training would not fail.

A mistake is fatal (a :class:`~ptx.errors.Problem`) when it makes every result meaningless: identical sides of
a pair, a single label, empty replies, an unknown role, numbers in place of texts. What may be intended is a
note (:mod:`ptx.data.findings.suspect`, :mod:`ptx.data.findings.whole`). Either is told once for each kind,
with the number of rows and the places of the first few.
"""

from __future__ import annotations

from collections.abc import Iterable

from ptx.data.dataset import DataSet, Source
from ptx.data.findings.catalogue import waivable
from ptx.data.findings.columns import misused
from ptx.data.findings.leftovers import leftovers
from ptx.data.findings.suspect import Sign, Texts, signs, texts_of
from ptx.data.findings.whole import notes
from ptx.data.records import KINDS, Fault, Record, findings, kind_of, of_all
from ptx.data.rules import RULES, faults_of, unreadable
from ptx.data.turns import is_turns
from ptx.errors import Problem

#: what stops a training, and what is noted
Found = tuple[list[Problem], list[Problem]]


def check(dataset: DataSet, shape: str) -> Found:
    """Problems (fatal) and notes on the rows of ``shape``.

    Each kind is reported once, with the number of rows and the places of the first ones.
    """
    found: Found = dataset.once("check", shape, lambda: _check(dataset, shape))
    return found


def _check(dataset: DataSet, shape: str) -> Found:
    source = dataset.sources[shape]
    found = problems(dataset, shape)
    if any(not waivable(problem.name) for problem in found) or shape == "calibration":
        return found, []
    records = dataset.located(shape)
    texts = [texts_of(shape, record.row) for record in records]
    signs_ = _signs(dataset, source, shape, records, texts)
    whole = notes(shape, records, texts, source.form.parts)
    return found, [*misused(source, shape), *signs_, *whole]


def problems(dataset: DataSet, shape: str) -> list[Problem]:
    """What stops a training on the rows of ``shape``, without looking for what may be intended."""
    found: list[Problem] = dataset.once("problems", shape, lambda: [*_stopping(dataset, shape)])
    return found


def _stopping(dataset: DataSet, shape: str) -> list[Problem]:
    source = dataset.sources[shape]
    if shape != source.form.shape and (
        unread := dataset.once("unreadable", source.form.shape, lambda: _unreadable(source))
    ):
        return list(unread)
    return _problems(dataset, shape, dataset.located(shape))


def no_rows(dataset: DataSet, shape: str) -> Problem:
    """What is said of a shape that none of the rows gives."""
    return of_all("unreadable", f"{dataset.name} gives no rows of shape {shape}", "give it at least one")


def _unreadable(source: Source) -> list[Problem]:
    """The values of the file that are no text: no other shape follows from them."""
    faults = faults_of(source.records, unreadable(source.form.shape))
    return source.bad.told(faults, len(source.records))


def _signs(
    dataset: DataSet, source: Source, shape: str, records: list[Record], texts: list[Texts]
) -> list[Problem]:
    """Looked for once in the rows of a file, and told of all shapes that follow from them."""
    native = source.form.shape
    if shape != native and dataset.sources.get(native) is source:
        return check(dataset, native)[1]
    return _suspicions(shape, records, texts)


def _problems(dataset: DataSet, shape: str, records: list[Record]) -> list[Problem]:
    if not records:
        return [no_rows(dataset, shape)]
    told = dataset.sources[shape].bad.told(faults_of(records, RULES[shape]), len(records))
    return told or [*_problems_of_all(dataset.name, shape, records)]


def _suspicions(shape: str, records: list[Record], texts: list[Texts]) -> list[Problem]:
    """The signs that enough rows show, each once."""
    found: dict[str, list[tuple[Record, Sign]]] = {}
    for record, text in zip(records, texts, strict=True):
        shown = (*signs(shape, record.row, text), *leftovers(record.row, text))
        kinds = {kind_of(sign.what): sign for sign in shown}
        for kind, sign in kinds.items():
            found.setdefault(kind, []).append((record, sign))
    faults = [
        Fault(record, sign.what, name=sign.name)
        for rows in found.values()
        if len(rows) >= rows[0][1].share * len(records)
        for record, sign in rows
    ]
    return findings(faults, len(records))[:KINDS]


def _problems_of_all(name: str, shape: str, records: list[Record]) -> Iterable[Problem]:
    """The problems that show only in all rows together."""
    if shape == "thumbs" and len(labels := {record.row["label"] for record in records}) == 1:
        label = str(labels.pop()).lower()
        what = f"all {len(records)} labels of {name} are {label}, so there is nothing to distinguish"
        yield of_all("one-label", what, "give it rows of both labels", records)
    if (
        shape in ("prompts", "pairs", "thumbs", "safety")
        and len({is_turns(record.row["prompt"]) for record in records}) > 1
    ):
        what = f"some prompts of {name} are texts and others message lists"
        yield of_all("mixed-prompts", what, "write all of them in the same way", records)
    if shape == "prompts":
        without = [record for record in records if record.row["answer"] is None]
        if 0 < len(without) < len(records):
            what = f"{without[0].place}: answer is missing (in {len(without)} of {len(records)} rows)"
            yield of_all("missing-answers", what, "give an answer to every prompt, or to none", without)
