"""``eval=[perplexity]``: bits per byte and perplexity of texts, with intervals.

Bits per byte can be compared between models with any tokenizers; perplexity (per token) only between models
with the same tokenizer. Every text gives one or more rows, and two models are compared row by row. The
difficulty of a text then cancels, so that small damage (4-bit weights) becomes visible that the interval of
either model alone would hide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ptx import Choice, Evaluator, Problem, RunConfig, hookimpl, must_be_at_least, setting
from ptx.guard.patterns import of_user
from ptx.models import inspection

MOST_WINDOW = 2048


@dataclass
class Perplexity(Evaluator):
    """Bits per byte and perplexity of texts."""

    metrics: ClassVar[Mapping[str, str]] = {
        "perplexity/{text}/bits_per_byte": "Bits that the model needs per byte of the text; lower is better.",
        "perplexity/{text}/perplexity": "Exponential of the mean nats per token; lower is better.",
        "perplexity/{text}/unscored": "The fraction of rows whose logits were not finite; lower is better.",
    }
    texts: list[str] = setting(
        [],
        "files: .txt, or .jsonl, .json or .csv with a column text; empty: the held-out text that came with"
        " the data",
    )
    block: int = setting(2000, "bytes per row: lines of a .txt file are joined until a row has that many")
    separator: str = setting(
        "",
        "regular expression that separates the documents of a .txt file; empty: <|endoftext|> if the file has"
        " it, else blocks",
    )
    window: int | None = setting(
        None, f"tokens that the model reads at once; default: its context, at most {MOST_WINDOW}"
    )
    overlap: int = setting(
        1, "tokens of context before the scored ones, in a text longer than the window; lm-eval uses 1"
    )
    limit: int | None = setting(None, "only the first N rows of each text")
    segments: list[str] = setting(
        [],
        "columns by which results are split; empty: language, domain, intent, difficulty, ... if the data has"
        " them",
    )

    def __post_init__(self) -> None:
        for name, least in (("block", 1), ("window", 2), ("overlap", 1), ("limit", 1)):
            must_be_at_least(f"eval.perplexity.{name}", getattr(self, name), least, max(least, 512))
        of_user(self.separator, "eval.perplexity.separator", "eval.perplexity.separator='<.endoftext.>'")
        if self.window is not None and self.overlap >= self.window:
            raise ValueError(
                f"eval.perplexity.overlap must be less than the window of {self.window}, got {self.overlap};"
                " try 1"
            )

    def reading(self) -> dict[str, Any]:
        """The settings that cut texts into rows."""
        return {"block": self.block, "separator": self.separator, "segments": self.segments}

    @override
    def work(self) -> str:
        from ptx.lm.evaluation.texts import amount

        return amount(self.texts, limit=self.limit, **self.reading())

    def inputs(self) -> list[Path]:
        """The texts."""
        return [path for text in self.texts if (path := Path(text).expanduser()).is_file()]


@hookimpl
def ptx_choices() -> list[Choice]:
    """``eval=[perplexity]``."""
    libraries = ("torch", "transformers", "numpy")
    return [
        Choice(
            "eval",
            "perplexity",
            Perplexity,
            "bits per byte and perplexity of texts, paired row by row",
            libraries,
            version="5",
            calls="ptx_perplexity.evaluate:evaluate",
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Report texts that are missing or give no row, and a window larger than the model's context."""
    from ptx.lm.evaluation.texts import problems

    found = []
    for evaluator in config.eval.values():
        if isinstance(evaluator, Perplexity):
            found += problems("perplexity", evaluator.texts, **evaluator.reading())
            length = None if inspection.problems(model) else inspection.inspect(model).max_positions
            if evaluator.window is not None and length and evaluator.window > length:
                what = (
                    f"eval.perplexity.window={evaluator.window} is more than the model's context of {length}"
                )
                found.append(Problem(what, "leave it out"))
    return found
