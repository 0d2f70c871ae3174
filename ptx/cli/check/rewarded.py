"""``ptx check --rewards``: what the model's own answers earn, before a method is trained on it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ptx.cli.plugin_commands import running
from ptx.cli.sampled import Sampling, scored, spread
from ptx.config import RunConfig
from ptx.data import DataSet
from ptx.data.records import Record, of_all
from ptx.errors import Problem
from ptx.records import ModelRef

MANY = 0.5  # share of prompts with equal rewards that is worth a word


def rewarded(config: RunConfig, model: ModelRef, data: DataSet, rows: int) -> tuple[list[str], list[Problem]]:
    """Sentences on what answers to up to ``rows`` prompts earn, and the finding on them; opens the model."""
    how = Sampling.of(config.method)
    records = spread(data.located("prompts"), rows)
    with running(config) as run:
        lm = run.load(model)
        try:
            groups = scored(run, lm, [record.row for record in records], how)
        finally:
            lm.close()
    return told(records, groups, how)


def told(
    records: Sequence[Record], groups: Sequence[Sequence[float] | None], how: Sampling
) -> tuple[list[str], list[Problem]]:
    """What the rewards of each prompt's answers say."""
    tried = [(record, group) for record, group in zip(records, groups, strict=True) if group is not None]
    names = " + ".join(how.rewards)
    if not tried:
        return [f"rewards ({names}): every prompt leaves too little room for an answer"], []
    rewards = [one for _, group in tried for one in group]
    known = [one for one in rewards if not math.isnan(one)]
    said = f"rewards ({names}) of {how.samples} answers to each of {len(tried)} prompts: "
    said += (
        f"{min(known):.3g} to {max(known):.3g}, {sum(known) / len(known):.3g} in the mean" if known else ""
    )
    if lost := len(rewards) - len(known):
        said += f"{', ' if known else ''}{lost} of {len(rewards)} answers could not be scored"
    worst = min(known, default=0.0)  # what an answer gets that no scorer could score
    equal = [record for record, group in tried if len({_level(one, worst) for one in group}) == 1]
    if len(equal) <= MANY * len(tried):
        return [said], []
    what = f"{len(equal)} of {len(tried)} prompts: all {how.samples} answers earn the same reward ({names})"
    return [said], [of_all("equal-rewards", what, places=equal)]


def _level(reward: float, worst: float) -> str:
    return f"{worst if math.isnan(reward) else reward:.6g}"
