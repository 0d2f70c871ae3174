"""``ptx data split``: rows for training and rows for testing, with nothing alike on both sides."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ptx.cli.data.words import native, parsed, usable, wrote
from ptx.cli.plugin_commands import new_folder
from ptx.config import setting
from ptx.data import DataSet
from ptx.data.findings.suspect import texts_of
from ptx.data.records import Record
from ptx.errors import ConfigError, Problem
from ptx.stats.near import groups

ABOUT = """\
Split a dataset into train.jsonl and test.jsonl. Rows whose prompts (or texts) are near-duplicates go to
the same side, so that the test asks nothing that training has seen. The rows keep the columns that they
have in the file."""
EXAMPLE = "ptx data split data=./my.jsonl test=0.1 out=./split"


@dataclass
class Split:
    """The words of the verb."""

    out: str = setting(help="the folder to write; it must not exist")
    test: float = setting(0.1, "share of the rows that is for testing; from 1 on their number")
    near: float = setting(
        0.7, "Jaccard similarity of the prompts' 5-grams from which on rows stay together; 1: equal ones"
    )
    by: str = setting(
        "", "a column: rows with the same value stay together too (a user, a document, a conversation)"
    )
    seed: int = setting(0, "another seed, another split")


def main(words: Sequence[str]) -> int:
    """Split, and say how many rows were kept together.

    Raises:
        ConfigError: the rows have faults, or there is no such split.
    """
    options, data = parsed("split", ABOUT, Split, EXAMPLE, words)
    out = new_folder(f"out={options.out}")
    records, test = split(data, options)
    for name, side in (("train", False), ("test", True)):
        chosen = [record.row for record, tested in zip(records, test, strict=True) if tested is side]
        wrote(out / f"{name}.jsonl", chosen)
    return 0


def split(data: DataSet, options: Split) -> tuple[list[Record], list[bool]]:
    """The rows of the file, and whether each is for testing.

    Raises:
        ConfigError: the rows have faults, or there is no such split.
    """
    shape = native(data)
    usable(data, shape)
    good = data.located(shape)
    places = {(record.file, record.line) for record in good}
    records = [record for record in data.sources[shape].table.records if (record.file, record.line) in places]
    records = records[: len(good)]
    wanted = options.test if options.test >= 1 else options.test * len(records)
    if not 0 < round(wanted) < len(records):
        raise ConfigError(
            Problem(f"test={options.test:g} of {len(records)} rows leaves one side empty", "try test=0.1")
        )
    if not 0 < options.near <= 1:
        raise ConfigError(
            Problem(f"near must be above 0 and at most 1, got {options.near:g}", "try near=0.7")
        )
    together = _together(records, [record.row for record in good], shape, options)
    return records, _drawn(together, round(wanted), options.seed)


def _together(
    records: Sequence[Record], rows: Sequence[dict[str, object]], shape: str, options: Split
) -> list[int]:
    """The number of the group of each row."""
    if options.by and not any(options.by in record.row for record in records):
        known = ", ".join(dict.fromkeys(name for record in records for name in record.row))
        raise ConfigError(Problem(f"by={options.by}: there is no such column", f"columns: {known}"))
    texts = [texts_of(shape, row) for row in rows]
    found = groups(["\n".join(text.asked or text.replies) for text in texts], options.near)
    first: dict[str, int] = {}
    parent = {group: group for group in found}
    for record, group in zip(records, found, strict=True):
        if options.by and record.row.get(options.by) is not None:
            other = first.setdefault(repr(record.row[options.by]), group)
            parent[_root(parent, group)] = _root(parent, other)
    return [_root(parent, group) for group in found]


def _root(parent: dict[int, int], group: int) -> int:
    while parent[group] != group:
        group = parent[group]
    return group


def _drawn(together: Sequence[int], wanted: int, seed: int) -> list[bool]:
    """Whether each row is for testing: whole groups, drawn until there are as many rows as are wanted."""
    sizes = Counter(together)
    order = random.Random(seed).sample(sorted(sizes), len(sizes))  # noqa: S311 (not a secret)
    chosen: set[int] = set()
    room = wanted
    for group in order:
        if sizes[group] <= room:
            chosen.add(group)
            room -= sizes[group]
    many = [size for size in sizes.values() if size > 1]
    if many:
        print(f"{sum(many)} rows in {len(many)} groups stay together (the largest has {max(many)})")
    if not chosen:
        raise ConfigError(
            Problem(
                f"the groups of alike rows have at least {min(sizes.values())} rows, more than test={wanted}",
                "give a larger test=, or a larger near=",
            )
        )
    return [group in chosen for group in together]
