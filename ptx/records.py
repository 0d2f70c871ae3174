"""The values that runs pass on and record: metrics, evaluations, scores and references to models.

The folder of a run is its record::

    run.json          the request: resolved config, steps with their keys, versions, host; written first
    events.jsonl      the course of the run, one JSON object per line; append-only, not buffered
    evaluations/      NAME.jsonl, one row per example and evaluator
    result.json       the outcome: status, steps, metrics; written last, atomically

Readers (reports, ``ptx runs``) use these files and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from ptx.files import files_of, folder_digest, write_rows

SCHEMA = 1
Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A measured number with its unit and its uncertainty.

    ``low`` and ``high`` bound the 95 % interval (both equal ``value`` where it is exact, such as bytes on
    disk). ``n`` is the number of items behind it. ``segment`` is empty for all items and ``key=value`` for a
    part of them (``skill=addition``). ``note`` says what a reader has to know; of a metric without a value
    (NaN) it is the reason, such as "not decided: two detectors differ".
    """

    name: str
    value: float
    unit: str
    better: Better
    low: float
    high: float
    n: int
    segment: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not (math.isnan(self.value) or self.low <= self.value <= self.high):
            raise ValueError(
                f"metric {self.name}: {self.value} lies outside its interval [{self.low}, {self.high}]"
            )


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluator: metrics, and one row per example.

    A row is ``{"item": stable id, "scores": {metric name: float}, "segments": {dimension: value}, ...}``;
    ``item`` must be the same for every model so that comparisons can be paired. Optional keys: ``status`` is
    the reason why a row has no score ("unparsable", "failed"; absent or "ok" where it has one), ``cluster``
    the group that the item was sampled with (a document, a user), ``latency`` the seconds that the item took.
    Items that were answered in one batch, or in one call of the runtime, share its time equally; no metric is
    computed from it. Further keys (prompt, output) are kept to be looked at.
    """

    metrics: list[Metric]
    rows: list[dict[str, Any]] = field(default_factory=list)


class Score(float):
    """A scorer's number with an explanation.

    ``status`` is the reason why it is nan ("unparsable", "failed"), ``said`` the text that a judge wrote.
    """

    __slots__ = ("said", "status")

    def __new__(cls, value: float, status: str = "ok", said: str = "") -> Self:
        """A float with a status and a text: ``Score(nan, "unparsable", "I like both.")``."""
        score = super().__new__(cls, value)
        score.status, score.said = status, said
        return score

    status: str
    said: str


@dataclass(frozen=True)
class DataRef:
    """A reference to a folder of data that a step has made: one file ``SHAPE.jsonl`` for each shape."""

    path: Path
    digest: str = ""
    kind: ClassVar[str] = "data"

    @classmethod
    def of(cls, path: Path) -> DataRef:
        """The reference to an existing folder, with the digest of its files."""
        return cls(path, folder_digest(path))

    @classmethod
    def write(cls, folder: Path, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> DataRef:
        """Write the rows of each shape into ``folder``, which is new, and return the reference to it."""
        folder.mkdir(parents=True)
        for shape, made in rows.items():
            write_rows(folder / f"{shape}.jsonl", made)
        return cls.of(folder)

    @property
    def bytes(self) -> int:
        """The size of all files in the folder."""
        return sum(file.stat().st_size for file in files_of(self.path))


@dataclass(frozen=True)
class ModelRef:
    """A reference to a model folder, as steps pass it on."""

    path: Path
    digest: str = ""
    kind: Literal["full", "adapter", "package"] = "full"

    @classmethod
    def of(cls, path: Path, kind: Literal["full", "adapter", "package"] = "full") -> ModelRef:
        """The reference to an existing folder, with the digest of its files."""
        return cls(path, folder_digest(path), kind)

    @property
    def bytes(self) -> int:
        """The size of all files in the folder."""
        return sum(file.stat().st_size for file in files_of(self.path))


def reference(path: Path, digest: str, kind: str) -> ModelRef | DataRef:
    """The reference to what a step has made, from its recorded kind."""
    if kind == DataRef.kind:
        return DataRef(path, digest)
    return ModelRef(path, digest, kind)  # type: ignore[arg-type]
