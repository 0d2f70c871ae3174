"""``eval=[forgetting]``: what a model forgets of general text while it is trained on something else.

A model that is trained on one thing forgets others, and a benchmark of that one thing does not show it. A run
with a training step therefore measures this evaluator by default (``default_for``; ``eval.forgetting=false``
leaves it out). The baseline and the resulting model read general text that neither was trained on here:

- Bits per byte show whether the text is predicted worse. They are compared text by text, so the paired
  interval is narrow.
- The KL divergence from the baseline (nats per token) and the share of tokens whose most likely continuation
  has changed show how far the model has moved, also where some texts got better and others worse (Dutta et
  al. 2024, "Accuracy is not all you need").

Both models run on the runtime that would serve them. The text is ``general.jsonl`` or ``general.txt`` beside
the data, else the one in this package: 76 short texts in eight domains and four languages, written for this
purpose, so that they are in no training data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ptx import Choice, Evaluator, Problem, RunConfig, hookimpl, must_be_at_least, setting

EMBEDDED = Path(__file__).parent / "data" / "general.jsonl"


@dataclass
class Forgetting(Evaluator):
    """Bits per byte of general text before and after, and how far the model has moved on it."""

    compares: ClassVar[bool] = True
    filled_from_data: ClassVar[Mapping[str, str]] = {"texts": "general"}
    self_sufficient: ClassVar[bool] = True
    default_for: ClassVar[tuple[str, ...]] = ("train",)
    metrics: ClassVar[Mapping[str, str]] = {
        "forgetting/text/bits_per_byte": "Bits that the model needs per byte of text; lower is better.",
        "forgetting/text/kl": "KL divergence from the baseline in nats per token; lower is closer.",
        "forgetting/text/flips": "The fraction of tokens with another most likely continuation; lower is"
        " closer.",
        "forgetting/text/unscored": "The fraction of texts whose logits were not finite; lower is better.",
    }
    texts: list[str] = setting(
        [],
        "files: .txt, or .jsonl, .json or .csv with a column text; empty: general.jsonl or general.txt beside"
        " the data, else the embedded text",
    )
    block: int = setting(500, "bytes per row: lines of a .txt file are joined until a row has that many")
    limit: int = setting(200, "rows of each text")
    window: int = setting(256, "tokens that the model reads at once")
    likeliest: int = setting(
        256, "most likely tokens of the baseline that are kept per position; all others count as one"
    )

    def __post_init__(self) -> None:
        for name, least in (("block", 1), ("limit", 2), ("window", 2), ("likeliest", 1)):
            must_be_at_least(f"eval.forgetting.{name}", getattr(self, name), least, max(least, 200))

    def files(self) -> list[str]:
        """The given texts, else the embedded one."""
        return self.texts or [str(EMBEDDED)]

    @override
    def work(self) -> str:
        from ptx.lm.evaluation.texts import amount

        read = amount(self.files(), block=self.block, limit=self.limit)
        return f"{read}, and the original model reads them once"

    def inputs(self) -> list[Path]:
        """The texts."""
        return [path for text in self.files() if (path := Path(text).expanduser()).is_file()]


@hookimpl
def ptx_choices() -> list[Choice]:
    """``eval=[forgetting]``."""
    return [
        Choice(
            "eval",
            "forgetting",
            Forgetting,
            "general text before and after training: what is forgotten",
            ("torch", "transformers", "numpy"),
            version="4",
            calls="ptx_forgetting.evaluate:evaluate",
            formerly=("general",),
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Report texts that are missing or empty."""
    from ptx.lm.evaluation.texts import problems

    return [
        found
        for evaluator in config.eval.values()
        if isinstance(evaluator, Forgetting)
        for found in problems("forgetting", evaluator.files(), block=evaluator.block)
    ]
