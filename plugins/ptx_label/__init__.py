"""``make=label``: preferences and verdicts by a judge (RLAIF, Lee et al. 2023; denoising of pairs).

The judge is any scorer. One that compares is asked about two answers in both orders, and only pairs on which
both orders agree are kept: a verdict that follows the position says nothing of the answers. Answers that are
judged come from the data, or from the model.
"""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from ptx import (
    Choice,
    ConfigError,
    Problem,
    SettingError,
    hookimpl,
    must_be_at_least,
    must_be_one_of,
    setting,
)
from ptx.lm.making.maker import Answering

LIBRARIES = ("torch", "transformers")
#: what can be judged, the preferred first, and what comes of it
OF = ("pairs", "thumbs", "prompts", "completions", "messages")
KEPT = ("pairs", "thumbs")
DISAGREE = ("drop", "turn")


@dataclass
class Label(Answering):
    """Let a judge say which of two answers is better, or whether an answer is good."""

    of: str = setting(
        "",
        "what is judged: pairs or thumbs of the data; prompts (two answers of the model); completions or"
        " messages (the data's answer and the model's own); empty: the first of these that the data has",
    )
    keep: str = setting(
        "", "pairs, or thumbs (each answer by itself); empty: thumbs where thumbs are judged, else pairs"
    )
    scorer: str = setting("rule", "the judge: the name of a scorer (scorer.NAME sets it up)")
    margin: float = setting(
        0.0, "pairs, for a judge that only scores: two scores that differ by at most this are a tie"
    )
    above: float | None = setting(
        None,
        "thumbs: an answer is good if it scores more; null: more than the middle of the judge's scale (0"
        " where it has no ends)",
    )
    disagree: str = setting(
        "drop", "a label of the data that the judge contradicts: drop the row, or turn the label"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.of:
            must_be_one_of("make.of", self.of, OF, "pairs")
        if self.keep:
            must_be_one_of("make.keep", self.keep, KEPT, "pairs")
        must_be_at_least("make.margin", self.margin, 0, "0.0")
        must_be_one_of("make.disagree", self.disagree, DISAGREE, "drop")
        if self.of == "prompts" and self.kept(self.of) == "pairs" and not self.temperature:
            raise SettingError(
                "make.temperature must be positive for two answers to a prompt, because both would be equal,"
                " got 0; try make.temperature=1.0",
                "make.temperature",
            )

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """What it judges; by default the first shape that the data has."""
        return (self.of,) if self.of else OF

    def kept(self, reads: str) -> str:
        """The shape of the rows that it makes of rows of the shape ``reads``."""
        return self.keep or ("thumbs" if reads == "thumbs" else "pairs")

    @override
    def gives(self, reads: str) -> tuple[str, ...]:
        if reads == "thumbs" and self.kept(reads) == "pairs":
            raise ConfigError(
                Problem(
                    "make.keep=pairs needs two answers to a prompt, and thumbs have one each",
                    "type make.keep=thumbs, or make.of=prompts for two answers of the model",
                )
            )
        return (self.kept(reads),)

    @override
    def opens_model(self) -> bool:
        judged_alone = self.keep == "thumbs" and self.of in ("completions", "messages")
        return not (self.of in ("pairs", "thumbs") or judged_alone)

    @override
    def scorers(self) -> list[str]:
        return [self.scorer]


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``make=label``."""
    help_ = "preferences or verdicts by a judge, asked in both orders; cleans pairs that are there"
    return [Choice("make", "label", Label, help_, LIBRARIES, calls="ptx_label.label:label")]
