"""The values that a run leaves behind, and the only way they are written: whole or not at all.

A run is a folder (DESIGN: "the run folder is the record")::

    run.json          what was asked for: resolved config, steps with their keys, versions, host; written first
    events.jsonl      what happened, one JSON object a line, append-only, flushed line by line
    evaluations/      NAME.jsonl, one row per example and evaluator
    result.json       what came out: status, steps, metrics; written last, atomically

Readers (reports, ``ptx runs``) use these files and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from ptx.files import files_of, folder_digest

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
