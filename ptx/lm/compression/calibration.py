"""Calibration data: which texts a compressor looks at, drawn by seed, with a digest.

A row is a text, or a conversation rendered by the model's chat template. The rows come from the run's data
or, by weight, from several of its shapes and from further files (``mix={messages: 0.7, ./code.jsonl: 0.3}``).
Rows share a batch only when they are of one length, so nothing is padded (padded positions would count in
Hessians and activation ranges) and nothing is cut to a shorter neighbour;
:func:`bucketed` can also pad, for those who mask what they measure.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ptx.config import Compressor, setting
from ptx.data import SHAPES, DataSet, open_data
from ptx.errors import ConfigError, Problem, StepError, did_you_mean, must_be_at_least
from ptx.files import digest_of
from ptx.lm.tokens import encode
from ptx.models import inspection

if TYPE_CHECKING:
    from torch import Tensor

Row = dict[str, Any]


class Settings(Protocol):
    """What decides a sample; ``mix`` and ``batch_size`` may be absent."""

    samples: int
    max_length: int


@dataclass
class Calibrated(Compressor):
    """A compressor that looks at data: the fields that all of them share."""

    needs: ClassVar[tuple[str, ...]] = ("calibration",)
    samples: int = setting(128, "calibration rows")
    max_length: int = setting(1024, "calibration rows are cut to this many tokens")
    mix: dict[str, float] = setting(
        {},
        "where the rows come from, by weight: shapes of the data, or files; {messages: 3, ./code.jsonl: 1}",
    )
    batch_size: int = setting(1, "calibration rows of one length that go through the model together")

    def __post_init__(self) -> None:
        for name in ("samples", "max_length", "batch_size"):
            must_be_at_least(self.at(name), getattr(self, name), 1, 128)
        for part, weight in self.mix.items():
            if not weight > 0:
                raise ValueError(
                    f"{self.at('mix')}: the weight of {part} must be positive, got {weight}; leave it out or"
                    " give it 1"
                )

    @property
    def where(self) -> str:
        """What it is called on the command line: ``compress.gptq``; the choice is named as the class, in
        lower case.
        """
        return f"compress.{type(self).__name__.lower()}"

    def at(self, name: str) -> str:
        """Where a field is set: ``compress.gptq.bits``."""
        return f"{self.where}.{name}"

    @property
    def reads(self) -> tuple[str, ...]:
        """Shapes of the data that it takes rows from, beside the one it needs."""
        return tuple(part for part in self.mix if not is_file(part))

    def inputs(self) -> list[Path]:
        """Files that it takes rows from."""
        return [Path(part) for part in self.mix if is_file(part)]


def is_file(part: str) -> bool:
    """Whether a part of a mixture names a file and not a shape."""
    return "/" in part or "." in part


def problems(settings: Any, name: str, model: Path, data: DataSet | None) -> list[Problem]:
    """What is wrong with the calibration of ``compress=[name]``, before a weight is loaded."""
    found = []
    mix: dict[str, float] = settings.mix
    for part in mix:
        if is_file(part):
            found += _file_problems(part, name)
        elif part not in SHAPES:
            found.append(
                Problem(
                    f"compress.{name}.mix: no shape {part!r}",
                    f"{did_you_mean(part, SHAPES)} A file is written ./FILE",
                )
            )
    if data is None or inspection.problems(model) or found:
        return found
    facts = inspection.inspect(model)
    if not facts.has_chat_template and any(
        row.get("messages") for part in parts_of(data, mix).values() for row in part
    ):
        fix = "calibrate on texts, or add a chat_template.jinja to the model's folder"
        found.append(
            Problem(
                f"compress={name}: {data.name} holds conversations and {model} has no chat template to write"
                " them with",
                fix,
            )
        )
    return found


def _file_problems(part: str, name: str) -> list[Problem]:
    try:
        open_data(part, Path(part)).require(("calibration",), f"compress.{name}.mix")
    except (ConfigError, OSError) as error:
        return (
            list(error.problems)
            if isinstance(error, ConfigError)
            else [Problem(f"compress.{name}.mix: {part}: {error}")]
        )
    return []


@dataclass(frozen=True)
class Sample:
    """Calibration rows as token ids, in the order drawn."""

    rows: tuple[tuple[int, ...], ...]
    parts: dict[str, int]  # how many came from where
    cut: int  # rows that lost their end to max_length

    @property
    def tokens(self) -> int:
        """How many in all."""
        return sum(map(len, self.rows))

    @property
    def digest(self) -> str:
        """sha256 over the token ids in their order."""
        return digest_of([list(row) for row in self.rows])


def draw(
    data: DataSet | None, tokenizer: Any, settings: Settings, seed: int, context: int | None = None
) -> Sample:
    """A sample of calibration rows, the same for the same seed: tokens as the model reads them, each row cut
    to ``max_length``.

    ``context`` is the model's, in tokens, where it is known: rows are cut to that if it is shorter.

    Raises:
        StepError: no data, or no row with more than one token in one of the parts of the mixture.
    """
    if data is None:
        raise StepError("this compressor calibrates on text; add data=...")
    mix: dict[str, float] = dict(getattr(settings, "mix", None) or {})
    parts = parts_of(data, mix)
    limit = min(settings.max_length, context or settings.max_length)
    counts = shares(settings.samples, [mix.get(part, 1.0) for part in parts])
    taken: list[tuple[int, ...]] = []
    came, cut = {}, 0
    for (part, rows), count in zip(parts.items(), counts, strict=True):
        found = _drawn(rows, tokenizer, limit, count, f"{seed}/{part}" if mix else seed)
        if not found and count:
            raise StepError(
                f"none of the {len(rows)} calibration rows of {part} holds text; give rows with a text or"
                " messages field"
            )
        cut += sum(length > len(ids) for ids, length in found)
        taken += [ids for ids, _ in found]
        came[part] = len(found)
    if mix:
        random.Random(seed).shuffle(taken)  # noqa: S311 (reproducible, not secret)
    return Sample(tuple(taken), came, cut)


def parts_of(data: DataSet, mix: dict[str, float]) -> dict[str, list[Row]]:
    """The rows of each part of a mixture; of the data as it is where there is none."""
    if not mix:
        return {data.name: data.rows("calibration")}
    found = {}
    for part in mix:
        source = (
            open_data(part, Path(part))
            if is_file(part)
            else data
            if part == "calibration"
            else data.only(part, "the calibration")
        )
        found[part] = source.rows("calibration")
    return found


def shares(total: int, weights: Sequence[float]) -> list[int]:
    """``total`` shared out by weight, in whole numbers (largest remainders)."""
    exact = [total * weight / sum(weights) for weight in weights]
    given = [int(value) for value in exact]
    for index in sorted(range(len(exact)), key=lambda index: given[index] - exact[index])[
        : total - sum(given)
    ]:
        given[index] += 1
    return given


def _drawn(
    rows: list[Row], tokenizer: Any, limit: int, count: int, seed: int | str
) -> list[tuple[tuple[int, ...], int]]:
    """Up to ``count`` rows as token ids, cut, each with its length before."""
    found: list[tuple[tuple[int, ...], int]] = []
    # reproducible, not secret
    for index in random.Random(seed).sample(range(len(rows)), len(rows)):  # noqa: S311
        if len(found) == count:
            break
        ids = encode(tokenizer, rendered(tokenizer, rows[index]))
        if len(ids[:limit]) > 1:
            found.append((tuple(ids[:limit]), len(ids)))
    return found


def rendered(tokenizer: Any, row: Row) -> str:
    """The text of a calibration row, its messages through the chat template."""
    if row.get("messages"):
        return str(tokenizer.apply_chat_template(row["messages"], tokenize=False))
    return str(row["text"])


def bucketed(
    rows: Sequence[Sequence[int]], size: int, pad: int | None = None, slack: float = 0.1
) -> list[dict[str, Tensor]]:
    """Rows in batches of up to ``size``: ``input_ids`` and ``attention_mask``, (B, T).

    Without ``pad`` only rows of one length share a batch, and the batches keep the order of their first rows.
    With it, rows are sorted by length and a batch holds neighbours that are at most the share ``slack``
    shorter than its longest, padded on the right. No row is ever cut.
    """
    import torch

    batches: list[list[Sequence[int]]] = []
    filling: dict[int, list[Sequence[int]]] = {}
    for row in rows if pad is None else sorted(rows, key=len, reverse=True):
        last = filling.get(len(row) if pad is None else 0)
        if last is None or len(last) == size or len(row) < (1 - slack) * len(last[0]):
            last = filling[len(row) if pad is None else 0] = []
            batches.append(last)
        last.append(row)
    made = []
    for batch in batches:
        width = max(map(len, batch))
        ids = torch.tensor([[*row, *[pad or 0] * (width - len(row))] for row in batch])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in batch])
        made.append({"input_ids": ids, "attention_mask": mask})
    return made
