"""Calibration data: the texts that a compressor reads, sampled by seed, with a digest.

A row is a text, or a conversation rendered by the model's chat template. The rows come from the run's data
or, by weight, from several of its shapes and from further files (``mix={messages: 0.7, ./code.jsonl: 0.3}``).
Only rows of one length share a batch. So nothing is padded (padded positions would count in Hessians and
activation ranges), and no row is cut to the length of another. :func:`bucketed` can also pad, for callers
that mask the padding.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from typing_extensions import override

from ptx import data as datasets
from ptx.config import Compressor, setting
from ptx.data import SHAPES, DataSet
from ptx.errors import (
    ConfigError,
    Problem,
    SettingError,
    StepError,
    did_you_mean,
    must_be_at_least,
    must_be_one_of,
)
from ptx.files import digest_of
from ptx.lm.compression.memory import compression_memory
from ptx.lm.tokens import encode
from ptx.models import inspection
from ptx.models.memory import Amount, Memory, Workload

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]


class Settings(Protocol):
    """The settings that determine a sample; ``mix`` and ``batch_size`` may be absent."""

    samples: int
    max_length: int


@dataclass
class Calibrated(Compressor):
    """A compressor that reads calibration data, with the fields that all of them share."""

    needs: ClassVar[tuple[str, ...]] = ("calibration",)
    samples: int = setting(128, "calibration rows")
    max_length: int = setting(1024, "calibration rows are cut to this many tokens")
    mix: dict[str, float] = setting(
        {},
        "where the rows come from, by weight: shapes of the data, or files; {messages: 3, ./code.jsonl: 1}",
    )
    batch_size: int = setting(1, "calibration rows of one length that go through the model together")

    #: whether it keeps a matrix over the inputs of each linear layer
    hessians: ClassVar[bool] = True

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
        """The prefix of its fields on the command line, from the class name: ``compress.gptq``."""
        return f"compress.{type(self).__name__.lower()}"

    def at(self, name: str) -> str:
        """The full name of a field on the command line: ``compress.gptq.bits``."""
        return f"{self.where}.{name}"

    @property
    def reads(self) -> tuple[str, ...]:  # type: ignore[override]  # it depends on the instance's mix
        """The further shapes of the data that ``mix`` names."""
        return tuple(part for part in self.mix if not is_file(part))

    @override
    def memory(self, work: Workload) -> Memory | None:
        """The peak of a compression layer by layer."""
        reads = bool(self.needs)
        rows = self.samples if reads else 0
        return compression_memory(work, rows, self.max_length, hessians=reads and self.hessians)

    @override
    def amount(self, work: Workload) -> Amount | None:
        """The calibration tokens, as if every row were as long as the longest."""
        length = min(work.longest or self.max_length, self.max_length)
        return Amount(min(self.samples, work.rows or self.samples) * length, self.where)

    @override
    def saves_memory(self, work: Workload) -> list[str]:
        """Fewer and shorter calibration rows."""
        return [f"{self.at('samples')}={max(self.samples // 2, 1)}", f"{self.at('max_length')}=512"]

    @override
    def inputs(self) -> list[Path]:
        """The files that ``mix`` names."""
        return [Path(part) for part in self.mix if is_file(part)]


@dataclass
class Shareable(Calibrated):
    """A compressor that solves each layer with statistics of its inputs, which others can share."""

    statistics: str = setting(
        "sequential",
        "inputs that a layer is solved with: sequential, those that come out of the compressed layers before"
        " it; shared, those of the uncompressed model, measured once for all methods, bits and sparsities",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        must_be_one_of(self.at("statistics"), self.statistics, ("sequential", "shared"), "shared")
        if self.statistics == "shared" and (why := self.unshareable()):
            where = self.at("statistics")
            raise SettingError(f"{where}=shared cannot be used with {why}; leave {where} out", where)

    def unshareable(self) -> str:
        """The setting with which statistics cannot be shared; empty where they can."""
        return ""


def is_file(part: str) -> bool:
    """Whether a part of a mixture names a file rather than a shape."""
    return "/" in part or "." in part


def problems(settings: Any, name: str, model: Path, data: DataSet | None) -> list[Problem]:
    """The problems with the calibration data of ``compress=[name]``, found before a weight is loaded."""
    found = []
    mix: dict[str, float] = settings.mix
    for part in mix:
        if is_file(part):
            found += _file_problems(part, name)
        elif part not in SHAPES:
            found.append(
                Problem(
                    f"compress.{name}.mix: no shape {part!r}",
                    f"{did_you_mean(part, SHAPES)} Write a file as ./FILE",
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
                f"compress={name}: {data.name} holds conversations, and {model} has no chat template"
                " to render them",
                fix,
            )
        )
    elif not mix and "calibration" in data.shapes:
        from ptx.plan.rendering import rendering  # with jinja2, which `ptx --help` can do without

        found += rendering(data, "calibration", model)[0]
    return found


def _file_problems(part: str, name: str) -> list[Problem]:
    try:
        datasets.open_data(part, Path(part)).require(("calibration",), f"compress.{name}.mix")
    except (ConfigError, OSError) as error:
        return (
            list(error.problems)
            if isinstance(error, ConfigError)
            else [Problem(f"compress.{name}.mix: {part}: {error}")]
        )
    return []


@dataclass(frozen=True)
class Sample:
    """Calibration rows as token ids, in the order of the sample."""

    rows: tuple[tuple[int, ...], ...]
    parts: dict[str, int]  # source -> its number of rows
    cut: int  # number of rows longer than max_length

    @property
    def tokens(self) -> int:
        """The number of tokens in all rows."""
        return sum(map(len, self.rows))

    @property
    def digest(self) -> str:
        """SHA-256 of the token ids in their order."""
        return digest_of([list(row) for row in self.rows])


def draw(
    data: DataSet | None,
    tokenizer: PreTrainedTokenizerBase,
    settings: Settings,
    seed: int,
    context: int | None = None,
) -> Sample:
    """A sample of calibration rows as token ids; the same seed gives the same sample.

    Each row is cut to ``max_length``, or to ``context``, the model's context length in tokens, if that is
    known and shorter.

    Raises:
        StepError: there is no data, or a part of the mixture has no row with more than one token.
    """
    if data is None:
        raise StepError("this compressor needs calibration data; add data=...")
    mix: dict[str, float] = dict(getattr(settings, "mix", None) or {})
    parts = parts_of(data, mix)
    limit = min(settings.max_length, context or settings.max_length)
    counts = shares(settings.samples, [mix.get(part, 1.0) for part in parts])
    chosen: list[tuple[int, ...]] = []
    rows_of_part, cut = {}, 0
    for (part, rows), count in zip(parts.items(), counts, strict=True):
        found = _drawn(rows, tokenizer, limit, count, f"{seed}/{part}" if mix else seed)
        if not found and count:
            raise StepError(
                f"none of the {len(rows)} calibration rows of {part} holds text; use rows with a text or"
                " messages field"
            )
        cut += sum(length > len(ids) for ids, length in found)
        chosen += [ids for ids, _ in found]
        rows_of_part[part] = len(found)
    if mix:
        random.Random(seed).shuffle(chosen)  # noqa: S311 (reproducible, not secret)
    return Sample(tuple(chosen), rows_of_part, cut)


def parts_of(data: DataSet, mix: dict[str, float]) -> dict[str, list[Row]]:
    """The rows of each part of a mixture; without a mixture, the calibration rows of the data."""
    if not mix:
        return {data.name: data.rows("calibration")}
    found = {}
    for part in mix:
        source = (
            datasets.open_data(part, Path(part))
            if is_file(part)
            else data
            if part == "calibration"
            else data.only(part, "the calibration")
        )
        found[part] = source.rows("calibration")
    return found


def shares(total: int, weights: Sequence[float]) -> list[int]:
    """Whole numbers in proportion to ``weights`` that add up to ``total`` (largest remainder method)."""
    exact = [total * weight / sum(weights) for weight in weights]
    given = [int(value) for value in exact]
    for index in sorted(range(len(exact)), key=lambda index: given[index] - exact[index])[
        : total - sum(given)
    ]:
        given[index] += 1
    return given


def _drawn(
    rows: list[Row], tokenizer: PreTrainedTokenizerBase, limit: int, count: int, seed: int | str
) -> list[tuple[tuple[int, ...], int]]:
    """Up to ``count`` rows as token ids cut to ``limit``, each with its length before the cut."""
    found: list[tuple[tuple[int, ...], int]] = []
    # reproducible, not secret
    for index in random.Random(seed).sample(range(len(rows)), len(rows)):  # noqa: S311
        if len(found) == count:
            break
        ids = encode(tokenizer, row_text(tokenizer, rows[index]))
        if len(ids[:limit]) > 1:
            found.append((tuple(ids[:limit]), len(ids)))
    return found


def row_text(tokenizer: PreTrainedTokenizerBase, row: Row) -> str:
    """The text of a calibration row; messages are rendered by the chat template."""
    if row.get("messages"):
        from ptx.lm.template import template_of
        from ptx.models.chat import TemplateRefusalError

        template, options = template_of(tokenizer, marked=False), row.get("chat_template_kwargs") or {}
        try:
            return template.fit(row["messages"], row.get("tools"), **options).rendered.text
        except TemplateRefusalError as refusal:
            raise StepError(f"the chat template refuses a calibration row: {refusal}") from refusal
    return str(row["text"])


def bucketed(
    rows: Sequence[Sequence[int]], size: int, pad: int | None = None, slack: float = 0.1
) -> list[dict[str, Tensor]]:
    """Batches of up to ``size`` rows: ``input_ids`` and ``attention_mask``, (B, T).

    Without ``pad`` only rows of one length share a batch, and the batches keep the order of their first rows.
    With the token id ``pad``, rows are sorted by length and padded on the right; a row in a batch is at most
    the fraction ``slack`` shorter than the longest. No row is cut.
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
