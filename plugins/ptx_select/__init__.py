"""``make=select``: fewer rows of the same data.

What is kept follows from one rule (``make.by``): chance, a band of lengths or perplexities, instruction
following difficulty (IFD), no duplicates, no near-duplicates, or nothing that the evaluation asks. Chance is
the control: a selection is worth something if it beats as many random rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ptx import (
    Choice,
    ConfigError,
    Maker,
    Problem,
    RunConfig,
    SettingError,
    hookimpl,
    must_be_at_least,
    must_be_one_of,
    setting,
)

LIBRARIES = ("torch", "transformers", "numpy")
#: rules that rank rows by a number, and those that drop rows
RANKED = ("random", "length", "perplexity", "ifd", "ifd_ppl")
DROPPING = ("exact", "minhash", "overlap")
#: rules that read the model, and those that need a prompt and its reply
READING = ("perplexity", "ifd", "ifd_ppl")
REPLIES = ("completions", "messages", "pairs", "thumbs")


@dataclass
class Select(Maker):
    """Keep some rows of the data: by chance, length, perplexity or difficulty, or without duplicates."""

    # a shape that follows from another stands behind it, so that a file gives its own
    needs: ClassVar[tuple[str, ...]] = (
        *("pairs", "thumbs", "safety", "completions", "messages", "prompts", "text"),
    )

    by: str = setting(
        "random",
        "random; length (characters of the reply); perplexity (of the reply, given its prompt); ifd (ratio of"
        " the losses with and without the prompt, Li et al. 2024); ifd_ppl (ratio of the perplexities, Li et"
        " al. 2024b); exact and minhash (no duplicates); overlap (nothing that the evaluation asks)",
    )
    count: int | None = setting(None, "rows that are kept at most")
    share: float | None = setting(None, "share of the rows that is kept at most")
    low: float | None = setting(None, "length, perplexity, ifd: keep no row below")
    high: float | None = setting(
        None, "length, perplexity, ifd: keep no row above (ifd: 1 by default, above it the prompt misleads)"
    )
    threshold: float = setting(0.8, "minhash: rows with a larger Jaccard similarity of 5-grams are one")
    n: int = setting(13, "overlap: words that follow each other in both")
    against: list[str] = setting([], "overlap: files or folders; default: the files of the run's evaluators")

    def __post_init__(self) -> None:
        must_be_one_of("make.by", self.by, (*RANKED, *DROPPING), "random")
        must_be_at_least("make.count", self.count, 1, 1000)
        must_be_at_least("make.n", self.n, 2, 13)
        for name, value in (("share", self.share), ("threshold", self.threshold)):
            if value is not None and not 0 < value <= 1:
                raise SettingError(
                    f"make.{name} must be above 0 and at most 1, got {value}; try make.{name}=0.8",
                    f"make.{name}",
                )
        if self.low is not None and self.high is not None and self.low > self.high:
            raise SettingError(
                f"make.low={self.low} is above make.high={self.high}; exchange them", "make.low", "make.high"
            )
        if self.by == "random" and self.count is None and self.share is None:
            raise SettingError(
                "make.by=random keeps every row without a number; try make.share=0.1", "make.by"
            )
        if self.by in ("length", "perplexity") and not any(
            value is not None for value in (self.low, self.high, self.count, self.share)
        ):
            raise SettingError(
                f"make.by={self.by} keeps every row without a bound; try make.high=1000", "make.by"
            )

    @override
    def opens_model(self) -> bool:
        return self.by in READING

    @override
    def draws(self) -> bool:
        return self.by == "random"

    @override
    def gives(self, reads: str) -> tuple[str, ...]:
        if self.by in ("ifd", "ifd_ppl") and reads not in REPLIES:
            raise ConfigError(
                Problem(
                    f"make.by={self.by} compares replies with and without their prompts; {reads} has none",
                    f"give data with replies ({', '.join(REPLIES)}), or take another make.by",
                )
            )
        return (reads,)

    @override
    def inputs(self) -> list[Path]:
        return [Path(path).expanduser() for path in self.against] if self.by == "overlap" else []

    @override
    def resolved(self, config: RunConfig) -> Select:
        """``by=overlap`` with the files of the run's evaluators, where none is named."""
        if self.by != "overlap":
            return self
        files = self.against or [str(path) for part in config.eval.values() for path in part.inputs()]
        if not files:
            raise ConfigError(
                Problem(
                    "make.by=overlap has nothing to compare with: no evaluator of the run reads a file",
                    "name some: make.against=[./test.jsonl], or eval=[bench]",
                )
            )
        if missing := [path for path in files if not Path(path).expanduser().exists()]:
            raise ConfigError(
                Problem(f"make.against: there is no {missing[0]}", "name a file or a folder that exists")
            )
        return replace(self, against=list(dict.fromkeys(files)))


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``make=select``."""
    help_ = "fewer rows: by chance, length, perplexity or difficulty, without duplicates or test items"
    return [Choice("make", "select", Select, help_, LIBRARIES, calls="ptx_select.select:select")]
