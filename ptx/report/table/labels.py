"""Labels of the rows of a report: short ("dpo · sparsegpt") and unique."""

from __future__ import annotations

import unicodedata
from collections import Counter

from ptx.report.table.records import Record
from ptx.report.table.row import Row

#: fields that a short label leaves out
LEFT_OUT = {
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
#: groups that configure how a model is measured and tracked, not which model it is
MEASURING = {"eval", "tracker", "scorer"}
#: groups whose values are shown without the group's name
VALUE_ONLY = ("make", "method", "compress", "recipe", "model", "data", "runtime")
LONGEST_LABEL = 80


def set_labels(rows: list[Row]) -> None:
    """Set the labels of the rows: short ones, or the full one if two rows would share a short one."""
    for row in rows:
        row.label = _short(row)
    known = Counter(row.label for row in rows)
    for row in rows:
        if known[row.label] > 1 and not row.baseline:
            row.label = row.full_label
    known = Counter(row.label for row in rows)
    for row in rows:
        if known[row.label] > 1:
            row.label = f"{row.label} ({row.records[0].sweep_name} {row.records[0].id})"
    for row in rows:
        row.label = printable(row.label)


def printable(text: str) -> str:
    """A text as a label: without control and text-direction characters, and at most a line long."""
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
    varied = {key: value for key, value in record.varied.items() if key != "seed"} or _overrides(record)
    parts = []
    for key, value in varied.items():
        text = value.strip().strip("[]").replace(",", "+").replace(" ", "")
        if text and text != "null":
            parts.append(last_part(text) if key in VALUE_ONLY else f"{key}={value}")
    if "compress" in varied and len(parts) == ("runtime" in varied):
        parts.insert(0, "uncompressed")
    return " · ".join(parts) or last_part(str(record.model.get("name") or row.full_label))


def last_part(value: str) -> str:
    """The last part of a path; any other value unchanged."""
    return value.rstrip("/").rpartition("/")[2] if value.startswith(("/", "./", "../", "~")) else value


def _overrides(record: Record) -> dict[str, str]:
    """The overrides of a run that varies in nothing but its seed, without those a label leaves out."""
    words = record.run.get("overrides") if record.varied else str(record.run.get("label") or "").split()
    pairs = [str(word).partition("=") for word in words or ()]
    return {
        key: value
        for key, equals, value in pairs
        if equals and key not in LEFT_OUT and key.partition(".")[0] not in MEASURING
    }
