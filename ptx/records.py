"""The values that a run leaves behind, and the only way they are written: whole or not at all.

A run is a folder (DESIGN: "the run folder is the record")::

    run.json          what was asked for: resolved config, steps with their keys, versions, host; written first
    events.jsonl      what happened, one JSON object a line, append-only, flushed line by line
    evaluations/      NAME.jsonl, one row per example and evaluator
    result.json       what came out: status, steps, metrics; written last, atomically

Readers (reports, ``ptx runs``) use these files and nothing else.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

SCHEMA = 1
Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A measured number; never a bare float.

    ``low`` and ``high`` bound its 95 % interval (equal to ``value`` for what is exact, such as bytes on
    disk), ``n`` counts the items behind it. ``segment`` is empty for the whole and ``key=value`` for a part
    (``skill=addition``).
    """

    name: str
    value: float
    unit: str
    better: Better
    low: float
    high: float
    n: int
    segment: str = ""

    def __post_init__(self) -> None:
        if not (math.isnan(self.value) or self.low <= self.value <= self.high):
            raise ValueError(
                f"metric {self.name}: {self.value} lies outside its interval [{self.low}, {self.high}]"
            )


@dataclass(frozen=True)
class Evaluation:
    """What an evaluator returns: metrics and per-example rows.

    A row is ``{"item": stable id, "scores": {metric name: float}, "segments": {dimension: value}, ...}``;
    ``item`` must be the same for every model so that comparisons can be paired. ``status`` says why a row has
    no score ("unparsable", "failed"; left out or "ok": it has), ``cluster`` what it was drawn together with
    (a document, a user). ``latency`` is the seconds that the item took; of items that were answered in one
    batch (or one call of the runtime) each has an equal share of it. It is there to look at: nothing is
    computed from it or told apart by it. Further keys (prompt, output) are kept for drill-down.
    """

    metrics: list[Metric]
    rows: list[dict[str, Any]] = field(default_factory=list)


class Score(float):
    """A scorer's number that says more: ``status`` why it is nan ("unparsable", "failed"), ``said`` what the
    judge wrote.
    """

    __slots__ = ("said", "status")

    def __new__(cls, value: float, status: str = "ok", said: str = "") -> Self:
        """``Score(nan, "unparsable", "I like both.")``."""
        made = super().__new__(cls, value)
        made.status, made.said = status, said
        return made

    status: str
    said: str


@dataclass(frozen=True)
class ModelRef:
    """A model folder, as it travels between steps."""

    path: Path
    digest: str = ""
    kind: Literal["full", "adapter", "package"] = "full"

    @classmethod
    def of(cls, path: Path, kind: Literal["full", "adapter", "package"] = "full") -> ModelRef:
        """The reference to a folder that lies there now, with the digest of its files."""
        return cls(path, folder_digest(path), kind)

    @property
    def bytes(self) -> int:
        """Size of all files in the folder."""
        return sum(file.stat().st_size for file in files_of(self.path))


def files_of(folder: Path) -> list[Path]:
    """Every file below ``folder``, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """sha256 over the names and contents of every file below ``folder``, hex."""
    return digest_of({str(file.relative_to(folder)): file_digest(file) for file in files_of(folder)})


def digest_of(value: Any) -> str:
    """sha256 of ``value`` as canonical JSON, hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that ``path`` holds either the old or the new text, also after a power cut."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with staged.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=2, default=_plain, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    sync_folder(path.parent)


def read_json(path: Path) -> Any:
    """Read what :func:`write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines to a file that is not there yet (inside a staging folder)."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, default=_plain, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """JSON lines; a last line cut short by a crash is left out."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def append_event(path: Path, event: str, **fields: Any) -> None:
    """Add one line to an event log; it is on its way to the disk when this returns."""
    line = json.dumps(
        {"time": round(time.time(), 3), "event": event, **fields}, default=_plain, ensure_ascii=False
    )
    with path.open("ab", buffering=0) as file:
        start, whole = file.tell(), f"{line}\n".encode()
        if file.write(whole) < len(whole):  # the disk is full: no half line may stand before the next one
            file.truncate(start)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def sync_folder(folder: Path) -> None:
    """Make a rename inside ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
