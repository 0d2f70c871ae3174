"""Scorers as reward functions: what an answer gets that cannot be scored, and what TRL makes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest

from ptx import Choice, RunConfig, Scorer, hookimpl
from ptx.lm.training.reinforced import Reinforced
from ptx.lm.training.rewards import Rewards, filled

ANSWERS = ["short", "a long reply", "another long one", "tiny"]
PROMPT = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "why?"}]


@dataclass
class Sour(Scorer):
    """A reward model that dislikes everything, and cannot read more than six letters."""

    reads_turns: ClassVar[bool] = True


@dataclass
class Sound(Scorer):
    """Every reply has the right form."""

    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)


class Plugin:
    __name__ = "scoring"

    def __init__(self):
        self.asked = []

    @hookimpl
    def ptx_choices(self):
        return [Choice("scorer", "sour", Sour), Choice("scorer", "sound", Sound)]

    @hookimpl
    def ptx_score(self, scorer, prompts, completions):
        self.asked.append((type(scorer).__name__, prompts[0]))
        if isinstance(scorer, Sound):
            return [1.0] * len(completions)
        return [math.nan if len(text) > 6 else -3.0 for text in completions]


@pytest.fixture
def rewards(make_run):
    plugin = Plugin()

    def make(**settings):
        method = Reinforced(**settings)
        config = RunConfig(method=method, scorer={"sour": Sour(), "sound": Sound()})
        return Rewards(make_run(config, [plugin]), method), plugin

    return make


def scored(made, answers=ANSWERS):
    """The rewards of each function on one batch, and what was logged."""
    logged = {}
    completions = [[{"role": "assistant", "content": text}] for text in answers]
    found = {
        function.__name__: function(
            prompts=[PROMPT] * len(answers), completions=completions, log_metric=logged.__setitem__
        )
        for function in made.functions()
    }
    return found, logged


def test_an_answer_without_a_score_is_never_better_than_a_scored_one(rewards):
    made, _ = rewards(rewards=["sour", "sound"])
    found, logged = scored(made)
    totals = [sum(pair) for pair in zip(*found.values(), strict=True)]
    assert totals == [-2.0] * 4  # with TRL's 0 for nan the unread ones would have 1.0
    assert logged == {"unscored/sour": 0.5, "unscored/sound": 0.0}
    assert any(
        "could not score 2 of 4 answers: they get its worst score" in line for line in made.run.console.lines
    )


def test_what_an_unscored_answer_gets_is_set_by_scorer(rewards):
    assert scored(rewards(rewards=["sour"], unscored="zero")[0])[0] == {"sour": [-3.0, 0.0, 0.0, -3.0]}
    made, _ = rewards(rewards=["sour", "sound"], unscored={"sour": "skip"})
    assert scored(made)[0] == {"sour": [-3.0, None, None, -3.0], "sound": [1.0, None, None, 1.0]}


def test_the_worst_score_is_the_end_of_the_scale_or_the_lowest_of_the_batch():
    nan = math.nan
    assert filled([0.5, nan, 1.0], "worst", 0.0) == [0.5, 0.0, 1.0]
    assert filled([0.5, nan, 1.0], "worst", -math.inf) == [0.5, 0.5, 1.0]
    assert filled([nan, nan], "worst", -math.inf) == [None, None]
    assert filled([-2.0, nan], "zero", -5.0) == [-2.0, 0.0]


def test_a_scorer_that_reads_turns_gets_the_conversation_and_others_its_text(rewards):
    made, plugin = rewards(rewards=["sour"], watch=["sound"])
    _, logged = scored(made)
    assert plugin.asked == [("Sour", PROMPT), ("Sound", "system: be kind\n\nuser: why?")]
    assert logged["watch/sound"] == 1.0
