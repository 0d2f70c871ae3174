"""Provenance of a report: models, data, machines, versions, commands and dates, with notes for the reader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ptx.report.table.records import Record
from ptx.report.table.units import duration

DEMONSTRATION = (
    "The model named tiny is the demonstration and test model that ships with ptx, measured on its own"
    " generated tasks. Its numbers show that the pipeline works; they say nothing about real models."
)

MOST_DIGESTS = 4


@dataclass(frozen=True)
class Provenance:
    """Where the numbers of a set of records come from.

    ``lines`` has (name, values), ``notes`` has sentences, ``date`` is that of the latest record (YYYY-MM-DD).
    """

    lines: list[tuple[str, list[str]]]
    notes: list[str]
    date: str


def provenance_of(records: list[Record]) -> Provenance:
    """The provenance of the records; a line has several values if the records differ."""
    lines = [
        ("models", _unique(_model(record) for record in records)),
        ("data", _data(records)),
        ("machines", _unique(_host(record) for record in records)),
        ("versions", _versions(records)),
        ("commands", _unique(str(record.run.get("command", "")) for record in records)),
        ("finished", _unique([_span([date for record in records if (date := _finished(record))])])),
        ("time", _unique([_total(records)])),
    ]
    tiny = any(record.model.get("name") == "tiny" for record in records)
    dates = [_finished(record) or str(record.run.get("created") or "") for record in records]
    return Provenance(
        [(name, values) for name, values in lines if values],
        [DEMONSTRATION] if tiny else [],
        max(dates, default="")[:10],
    )


def _unique(values: Iterable[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]


def _named(value: object) -> str:
    if not isinstance(value, dict):
        return ""
    digest = str(value.get("digest") or "")[:12]
    return f"{value.get('name', '')}" + (f" ({digest})" if digest else "")


def _model(record: Record) -> str:
    parameters = record.model.get("parameters")
    count = f"{parameters:,} parameters" if isinstance(parameters, int) else ""
    return ", ".join(
        part for part in (_named(record.model), count, str(record.model.get("dtype") or "")) if part
    )


def _host(record: Record) -> str:
    host = record.run.get("host") or {}
    cores = f"{host['cores']} cores" if host.get("cores") else ""
    parts = [host.get("name"), host.get("cpu"), cores, host.get("gpu"), host.get("platform")]
    return ", ".join(str(part) for part in parts if part)


def _data(records: list[Record]) -> list[str]:
    """Each dataset once, with the digests of what runs took of it."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        data = record.run.get("data")
        if isinstance(data, dict):
            digest = str(data.get("digest") or "")[:12]
            found.setdefault(str(data.get("name", "")), {}).update({digest: None} if digest else {})
    return [_with_digests(name, list(digests)) for name, digests in found.items() if name or digests]


def _with_digests(name: str, digests: list[str]) -> str:
    if not digests:
        return name
    more = f" and {len(digests) - MOST_DIGESTS} more" if len(digests) > MOST_DIGESTS else ""
    parts = f"{len(digests)} selections of it: " if len(digests) > 1 else ""
    return f"{name} ({parts}{', '.join(digests[:MOST_DIGESTS])}{more})"


def _versions(records: list[Record]) -> list[str]:
    """The libraries of all runs on one line, and below it those that runs had in several versions."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        for name, number in (record.run.get("versions") or {}).items():
            found.setdefault(str(name), {})[str(number)] = None
    one = ", ".join(f"{name} {next(iter(found[name]))}" for name in sorted(found) if len(found[name]) == 1)
    several = [f"{name} {' and '.join(found[name])}" for name in sorted(found) if len(found[name]) > 1]
    return [line for line in (one, f"differs between runs: {', '.join(several)}" if several else "") if line]


def _finished(record: Record) -> str:
    return str(record.result.get("finished") or "")


def _span(dates: list[str]) -> str:
    return "" if not dates else min(dates) if min(dates) == max(dates) else f"{min(dates)} to {max(dates)}"


def _total(records: list[Record]) -> str:
    """The time of the runs, and what the steps had cost that they took from the store.

    The steps of a report may take longer than its runs: a step that was found is not run again.
    """
    seconds = sum(float(record.result.get("seconds") or 0) for record in records)
    parts = [
        part
        for record in records
        for name in ("steps", "evaluations")
        for part in record.result.get(name) or []
    ]
    here = {str(part.get("key")) for part in parts if not part.get("shared")}
    found = {str(part.get("key")): float(part.get("seconds") or 0) for part in parts if part.get("shared")}
    earlier = sum(spent for key, spent in found.items() if key not in here)
    text = f"{duration(seconds)} in {len(records)} run{'s' if len(records) != 1 else ''}" if seconds else ""
    if earlier < 1:
        return text
    before = f"the steps that they took from the store had taken {duration(earlier)} before"
    return f"{text}; {before}" if text else before
