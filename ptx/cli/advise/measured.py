"""What ``ptx advise --measure`` tries on a few rows: whether a reward would teach, and whether prompts help.

*Pass rate*: k answers to each prompt, scored against its reference by ``scorer.answer``. GRPO compares the
answers to one prompt, so a prompt whose answers are all right or all wrong teaches nothing. *IFD* (Li et al.
2024): the loss of a reply given its prompt over its loss alone; above 1 the prompt misleads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from ptx.cli.plugin_commands import running
from ptx.cli.sampled import SAMPLES, Sampling, asked, fits, scored, spread, turns_of
from ptx.config import RunConfig
from ptx.data import DataSet
from ptx.data.findings.suspect import texts_of
from ptx.hooks.run import LanguageModel, Run
from ptx.records import ModelRef
from ptx.stats.intervals import mean_interval

HARD, EASY = 0.02, 0.98  # pass rates beyond which hardly a group differs within itself
Row = dict[str, Any]


def measure(config: RunConfig, model: ModelRef, data: DataSet, rows: int) -> list[str]:
    """The sentences on what was measured, on up to ``rows`` rows of each kind; opens the model once."""
    sources = dict.fromkeys(source.form.shape for source in data.sources.values())
    prompts, replies = [], []
    for shape in sources:
        looked = spread(data.rows(shape), rows)
        prompts += [row for row in looked if shape == "prompts" and row.get("answer") is not None]
        replies += [pair for row in looked for pair in _reply(shape, row)]
    if not prompts and not replies:
        return ["nothing to measure: no row has a reference or a prompt with its reply"]
    with running(config) as run:
        lm = run.load(model)
        try:
            return [*_pass_rate(run, lm, prompts), *_difficulty(lm, replies)]
        finally:
            lm.close()


def _reply(shape: str, row: Row) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """The conversation before the last reply, and the reply."""
    if shape == "messages" and row["messages"][-1]["role"] == "assistant":
        yield row["messages"][:-1], str(row["messages"][-1].get("content") or "")
    elif shape == "completions":
        yield turns_of(row["prompt"]), texts_of(shape, row).replies[-1]


def _pass_rate(run: Run, lm: LanguageModel, prompts: Sequence[Row]) -> Iterator[str]:
    """How often the model's own answers are right, prompt by prompt."""
    groups = [group for group in scored(run, lm, prompts, Sampling()) if group is not None]
    if groups:
        yield pass_rate_of(groups)


def pass_rate_of(groups: Sequence[Sequence[float]]) -> str:
    """The sentence on the scores of several answers to each prompt."""
    known = [[score for score in group if not math.isnan(score)] for group in groups]
    rates = [sum(group) / len(group) for group in known if group]
    if not rates:
        return "pass rate: no answer could be scored"
    mixed = sum(0 < rate < 1 for rate in rates)
    mean, low, high = mean_interval(rates)
    said = (
        f"pass rate of {SAMPLES} answers to each of {len(rates)} prompts: {mean:.0%}"
        f" [{max(low, 0):.0%}, {min(high, 1):.0%}]; {mixed} of {len(rates)} prompts have right and wrong"
        " answers"
    )
    if mean <= HARD:
        return (
            f"{said}: GRPO would learn next to nothing. Train with method=sft first, or take easier prompts"
        )
    if mean >= EASY:
        return f"{said}: there is next to nothing to learn. Take harder prompts"
    return f"{said}, and GRPO learns from those"


def _difficulty(lm: LanguageModel, pairs: Sequence[tuple[list[dict[str, Any]], str]]) -> Iterator[str]:
    """How much the prompts help to predict the replies."""
    texts = [(asked(lm, turns), reply) for turns, reply in pairs if reply.strip()]
    fitting = [(text, reply) for text, reply in texts if fits(lm, text + reply, 0)]
    given = lm.loglikelihood(fitting) if fitting else []
    alone = lm.loglikelihood([("", reply) for _, reply in fitting]) if fitting else []
    ratios = [one / other for (one, _), (other, _) in zip(given, alone, strict=True) if other < 0]
    if ratios:
        yield difficulty_of(ratios)


def difficulty_of(ratios: Sequence[float]) -> str:
    """The sentence on the ratios of the replies' losses with and without their prompts."""
    misled = sum(ratio > 1 for ratio in ratios)
    said = f"IFD of {len(ratios)} replies: {median(ratios):.2f} in the median"
    if not misled:
        return f"{said}; each prompt helps to predict its reply"
    return (
        f"{said}; above 1 in {misled} of {len(ratios)}, where prompt and reply may not fit:"
        " make=select make.by=ifd leaves them out"
    )
