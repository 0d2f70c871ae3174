"""``eval=[perplexity]``: how well the model predicts a text, in bits per byte and as perplexity, with
intervals.

Bits per byte can be compared between models of any tokenizer; perplexity (per token) only between models of
the same one. Every text is one row or several, so that two models are compared row by row: what makes one
text harder than another cancels, and small damage (4-bit weights) shows that the interval of either model
alone would hide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx import Choice, Evaluation, Evaluator, Problem, Run, RunConfig, hookimpl, must_be_at_least, setting
from ptx.lm.evaluation.texts import problems
from ptx.models import inspection

MOST_WINDOW = 2048


@dataclass
class Perplexity(Evaluator):
    """Bits per byte and perplexity of texts."""

    texts: list[str] = setting(
        [],
        "files: .txt, or .jsonl, .json or .csv with a column text; empty: the held-out text that came with"
        " the data",
    )
    block: int = setting(
        2000, "bytes of a row: lines of a .txt file are put together until they have as many"
    )
    separator: str = setting(
        "",
        "regular expression of what ends a document in a .txt file; empty: <|endoftext|> where it is there,"
        " else blocks",
    )
    window: int | None = setting(
        None, f"tokens the model sees at once; default: its context, at most {MOST_WINDOW}"
    )
    overlap: int = setting(
        1, "tokens before those that are scored, in a text longer than the window; 1 is lm-eval's"
    )
    limit: int | None = setting(None, "only the first N rows of each text")
    segments: list[str] = setting(
        [],
        "columns by which results are split; empty: language, domain, intent, difficulty, ... where they are"
        " there",
    )

    def __post_init__(self) -> None:
        for name, least in (("block", 1), ("window", 2), ("overlap", 1), ("limit", 1)):
            must_be_at_least(f"eval.perplexity.{name}", getattr(self, name), least, max(least, 512))
        try:
            re.compile(self.separator)
        except re.error as error:
            what = f"eval.perplexity.separator is no regular expression: {error} in {self.separator!r}"
            raise ValueError(f"{what}; try eval.perplexity.separator='<.endoftext.>'") from error
        if self.window is not None and self.overlap >= self.window:
            raise ValueError(
                f"eval.perplexity.overlap must be less than the window of {self.window}, got {self.overlap};"
                " try 1"
            )

    def reading(self) -> dict[str, Any]:
        """How texts are cut into rows."""
        return {"block": self.block, "separator": self.separator, "segments": self.segments}

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
            version="2",
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Texts that are not there, that no row can be read from, and windows that the model does not have."""
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


@hookimpl
def ptx_evaluate(run: Run, evaluator: Evaluator, lm: Any | None) -> Evaluation | None:
    """Score the texts."""
    if not isinstance(evaluator, Perplexity):
        return None
    from ptx_perplexity.evaluate import evaluate

    return evaluate(run, evaluator, lm)
