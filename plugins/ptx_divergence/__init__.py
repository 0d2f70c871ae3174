"""``eval=[divergence]``: how far a model has moved from the one it was made of, token by token.

KL divergence (in nats per token, of the model from its baseline) and the share of tokens whose likeliest
continuation is another: both see damage, and forgetting, that accuracy hides (Dutta et al. 2024, "Accuracy is
not all you need"). Every text is a row with its own difference, so that the numbers are paired by themselves.

The baseline is read with transformers and its log-probabilities are kept in the store, once for all models
that are held against it. Of each position its likeliest words are kept, and the rest as one; that makes the
KL a lower bound, by less than the rest's own share.
"""

from __future__ import annotations

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


@dataclass
class Divergence(Evaluator):
    """KL per token and flipped tokens, against the model that the recipe started from."""

    compares: ClassVar[bool] = True
    texts: list[str] = setting(
        [],
        "files: .txt, or .jsonl, .json or .csv with a column text; empty: the held-out text that came with"
        " the data",
    )
    tokens: int = setting(256, "of each row's beginning")
    block: int = setting(
        1000, "characters of a row: lines of a .txt file are put together until they have as many"
    )
    limit: int = setting(100, "rows of each text")
    likeliest: int = setting(256, "words of the baseline that are kept per position; the others count as one")

    def __post_init__(self) -> None:
        for name, least in (("tokens", 2), ("block", 1), ("limit", 2), ("likeliest", 1)):
            must_be_at_least(f"eval.divergence.{name}", getattr(self, name), least, max(least, 100))

    def inputs(self) -> list[Path]:
        """The texts."""
        return [path for text in self.texts if (path := Path(text).expanduser()).is_file()]


@hookimpl
def ptx_choices() -> list[Choice]:
    """``eval=[divergence]``."""
    libraries = ("torch", "transformers", "numpy")
    return [
        Choice(
            "eval",
            "divergence",
            Divergence,
            "KL per token and flipped tokens against the baseline",
            libraries,
            version="2",
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Texts that are not there or hold none."""
    return [
        found
        for evaluator in config.eval.values()
        if isinstance(evaluator, Divergence)
        for found in problems("divergence", evaluator.texts, block=evaluator.block)
    ]


@hookimpl
def ptx_evaluate(
    run: Run, evaluator: Evaluator, lm: Any | None, baseline: ModelRef | None
) -> Evaluation | None:
    """Hold ``lm`` against ``baseline``."""
    if not isinstance(evaluator, Divergence):
        return None
    from ptx_divergence.evaluate import evaluate

    return evaluate(run, evaluator, lm, baseline)
