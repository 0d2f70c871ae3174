"""``eval=[divergence]``: how far a model's predictions are from its baseline's, token by token.

Measured are the KL divergence (nats per token, of the model from its baseline) and the share of tokens whose
most likely continuation has changed. Both show damage and forgetting that accuracy hides (Dutta et al. 2024,
"Accuracy is not all you need"). Every text is a row with its own difference, so the numbers are paired.

The baseline runs on transformers. Its log-probabilities are kept in the store, once for all models that are
compared with it. Per position only the most likely tokens are kept, and all others are summed into one. The
KL is therefore a lower bound; it is too low by less than the probability of the summed tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ptx import Choice, Evaluator, Problem, RunConfig, hookimpl, must_be_at_least, setting


@dataclass
class Divergence(Evaluator):
    """KL per token and flipped tokens, against the model that the recipe started from."""

    compares: ClassVar[bool] = True
    metrics: ClassVar[Mapping[str, str]] = {
        "divergence/kl": "KL divergence of the model from its baseline in nats per token; lower is closer.",
        "divergence/flips": "The fraction of tokens with another most likely continuation; lower is closer.",
    }
    texts: list[str] = setting(
        [],
        "files: .txt, or .jsonl, .json or .csv with a column text; empty: the held-out text that came with"
        " the data",
    )
    tokens: int = setting(256, "tokens that are read from the beginning of each row")
    block: int = setting(1000, "bytes per row: lines of a .txt file are joined until a row has that many")
    limit: int = setting(100, "rows of each text")
    likeliest: int = setting(
        256, "most likely tokens of the baseline that are kept per position; all others count as one"
    )

    def __post_init__(self) -> None:
        for name, least in (("tokens", 2), ("block", 1), ("limit", 2), ("likeliest", 1)):
            must_be_at_least(f"eval.divergence.{name}", getattr(self, name), least, max(least, 100))

    @override
    def work(self) -> str:
        from ptx.lm.evaluation.texts import amount

        return f"{amount(self.texts, block=self.block, limit=self.limit)}, and the baseline reads them once"

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
            version="4",
            calls="ptx_divergence.evaluate:evaluate",
            formerly=("distance",),
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Report texts that are missing or empty."""
    from ptx.lm.evaluation.texts import problems

    return [
        found
        for evaluator in config.eval.values()
        if isinstance(evaluator, Divergence)
        for found in problems("divergence", evaluator.texts, block=evaluator.block)
    ]
