"""``eval=[forgetting]``: what training has done to everything that it was not about.

A model that is trained on one thing forgets others, and a benchmark of that one thing never says so. Wherever
a training step is in the recipe this evaluator is therefore measured without being asked for
(``default_for``; ``eval.forgetting=false`` leaves it out): the model as it came and the model that came out read
general text that neither was trained on here. Bits per byte say whether it is predicted worse (text by text,
so that the paired interval is narrow); the KL divergence from the model as it came (nats per token) and the
share of tokens whose likeliest continuation is another say how far the model has moved, also where that is
for better and worse at once (Dutta et al. 2024, "Accuracy is not all you need").

Both models are read on the runtime that would serve. The text is ``general.jsonl`` or ``general.txt`` beside
the data where there is one, else the one in this package: 76 short texts in eight domains and four languages,
written for this purpose, and so in nobody's training data but by their like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ptx import (
    Choice,
    Evaluation,
    Evaluator,
    ModelRef,
    Problem,
    Run,
    RunConfig,
    hookimpl,
    must_be_at_least,
    setting,
)
from ptx.lm.evaluation.texts import problems

EMBEDDED = Path(__file__).parent / "data" / "general.jsonl"


@dataclass
class Forgetting(Evaluator):
    """Bits per byte of general text before and after, and how far the model has moved on it."""

    compares: ClassVar[bool] = True
    filled_from_data: ClassVar[Mapping[str, str]] = {"texts": "general"}
    self_sufficient: ClassVar[bool] = True
    default_for: ClassVar[tuple[str, ...]] = ("train",)
    texts: list[str] = setting(
        [],
        "files: .txt, or .jsonl, .json or .csv with a column text; empty: general.jsonl or general.txt beside"
        " the data, else the embedded text",
    )
    block: int = setting(500, "bytes of a row: lines of a .txt file are put together until they have as many")
    limit: int = setting(200, "rows of each text")
    window: int = setting(256, "tokens the model sees at once")
    likeliest: int = setting(
        256, "words of the model as it came that are kept per position; the others count as one"
    )

    def __post_init__(self) -> None:
        for name, least in (("block", 1), ("limit", 2), ("window", 2), ("likeliest", 1)):
            must_be_at_least(f"eval.forgetting.{name}", getattr(self, name), least, max(least, 200))

    def files(self) -> list[str]:
        """The texts that are read."""
        return self.texts or [str(EMBEDDED)]

    def inputs(self) -> list[Path]:
        """The texts."""
        return [path for text in self.files() if (path := Path(text).expanduser()).is_file()]


@hookimpl
def ptx_choices() -> list[Choice]:
    """``eval=[forgetting]``."""
    libraries = ("torch", "transformers", "numpy")
    return [
        Choice(
            "eval", "forgetting", Forgetting, "general text before and after: what is forgotten", libraries
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Texts that are not there or hold none."""
    return [
        found
        for evaluator in config.eval.values()
        if isinstance(evaluator, Forgetting)
        for found in problems("forgetting", evaluator.files(), block=evaluator.block)
    ]


@hookimpl
def ptx_evaluate(
    run: Run, evaluator: Evaluator, model: ModelRef, lm: Any | None, baseline: ModelRef | None
) -> Evaluation | None:
    """Hold ``lm`` against ``baseline``."""
    if not isinstance(evaluator, Forgetting):
        return None
    from ptx_forgetting.evaluate import evaluate

    return evaluate(run, evaluator, model, lm, baseline)
