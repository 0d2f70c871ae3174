"""What the rows of a report are called: short ("dpo · sparsegpt"), and never two alike."""

from __future__ import annotations

import unicodedata
from collections import Counter

from ptx.report.table.records import Record
from ptx.report.table.row import Row

#: what a short label leaves out
UNTOLD = {
    "eval",
    "data",
    "model",
    "device",
    "baseline",
    "seed",
    "tracker",
    "out",
    "name",
    "threads",
    "against",
}
#: groups that say how a model is measured and watched, not which it is
MEASURING = {"eval", "tracker", "scorer"}
#: groups whose values speak for themselves
NAMED = ("method", "compress", "recipe", "model", "data", "runtime")
LONGEST_LABEL = 80


def label(rows: list[Row]) -> None:
    """Short labels ("dpo · sparsegpt"), unless two rows would get the same one."""
    for row in rows:
        row.label = _short(row)
    known = Counter(row.label for row in rows)
    for row in rows:
        if known[row.label] > 1 and not row.baseline:
            row.label = row.full_label
    for row in rows:
        if sum(other.label == row.label for other in rows) > 1:
            row.label = f"{row.label} ({row.records[0].sweep_name} {row.records[0].id})"
    for row in rows:
        row.label = shown(row.label)


def shown(text: str) -> str:
    """A label that stays what it is on any page: without control and direction characters, and not longer
    than a line.
    """
    clean = "".join(
        " " if char.isspace() else char
        for char in text
        if unicodedata.category(char) not in ("Cc", "Cf", "Cs") or char.isspace()
    )
    return clean if len(clean) <= LONGEST_LABEL else f"{clean[: LONGEST_LABEL - 1]}…"


def _short(row: Row) -> str:
    if row.baseline:
        return " ".join(
            word
            for word in str(row.records[0].run.get("label") or "baseline").split()
            if not word.startswith("seed=")
        )
    record = row.records[0]
    varied = {key: value for key, value in record.varied.items() if key != "seed"} or _typed(record)
    parts = []
    for key, value in varied.items():
        bare = value.strip().strip("[]").replace(",", "+").replace(" ", "")
        if bare and bare != "null":
            parts.append(_place(bare) if key in NAMED else f"{key}={value}")
    if "compress" in varied and len(parts) == ("runtime" in varied):
        parts.insert(0, "uncompressed")
    return " · ".join(parts) or _place(str(record.model.get("name") or row.full_label))


def _place(value: str) -> str:
    """A path by its last part, anything else as it is."""
    return value.rstrip("/").rpartition("/")[2] if value.startswith(("/", "./", "../", "~")) else value


def _typed(record: Record) -> dict[str, str]:
    """What was typed for a run that varies in nothing but its seed, without what says little about the model
    that came out.
    """
    words = record.run.get("overrides") if record.varied else str(record.run.get("label") or "").split()
    pairs = [str(word).partition("=") for word in words or ()]
    return {
        key: value
        for key, equals, value in pairs
        if equals and key not in UNTOLD and key.partition(".")[0] not in MEASURING
    }
