"""Runs of ``method=grpo`` with scorers by name."""

from dataclasses import dataclass

import pytest

import ptx_grpo
import ptx_scorers
from ptx import Choice, RunConfig, Scorer, hookimpl
from ptx_grpo import GRPO
from ptx_scorers import Exact, Length, Numeric, Regex


@dataclass
class Contrary(Scorer):
    """A scorer with its sign the wrong way round."""


class Contraries:
    __name__ = "contraries"

    @hookimpl
    def ptx_choices(self):
        return [Choice("scorer", "contrary", Contrary)]

    @hookimpl
    def ptx_score(self, scorer, completions, references):
        if not isinstance(scorer, Contrary):
            return None
        return [float(text != answer) for text, answer in zip(completions, references, strict=True)]


QUICK = {
    "learning_rate": 1e-3,
    "batch_size": 8,
    "num_generations": 4,
    "max_completion_length": 8,
    "max_steps": 3,
    "warmup": 0.0,
}
SCORERS = {
    "numeric": Numeric(),
    "any": Numeric(tolerance=1e9),  # any number will do
    "contrary": Contrary(),
    "exact": Exact(),
    "vowel": Regex(pattern="[aeiou]", full=False),
    "length": Length(words=1),
}


@pytest.fixture
def grpo(make_run, train):
    """``grpo(model, data, rewards=["exact"])``: the run and its result."""

    def start(model, data, name="step", seed=0, scorers=SCORERS, **settings):
        method = GRPO(**{**QUICK, "rewards": ["vowel"], **settings})
        run = make_run(
            RunConfig(method=method, scorer=scorers), [ptx_grpo, ptx_scorers, Contraries()], name, seed
        )
        return run, train(run, model, data)

    return start
