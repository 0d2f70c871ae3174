"""Scorers that are tried before training: what is refused, and what is let through."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import ptx_scorers
from ptx import Choice, RunConfig, Scorer, StepError, hookimpl
from ptx.lm.training.reinforced import Reinforced
from ptx.lm.training.tried import try_scorers
from ptx_scorers import Answer, Exact, Length, Regex

ROWS = [{"prompt": f"what is {n} + {n}?", "answer": str(2 * n)} for n in range(12)]


@dataclass
class Contrary(Scorer):
    """The sign is the wrong way round."""


@dataclass
class Fond(Scorer):
    """It likes replies by the prompt that they answer, and not by what they say."""


@dataclass
class Vague(Scorer):
    """A model of replies that are longer than bare references: among these it finds no difference."""


class Plugin:
    __name__ = "odd"

    @hookimpl
    def ptx_choices(self):
        return [
            Choice("scorer", "contrary", Contrary),
            Choice("scorer", "fond", Fond),
            Choice("scorer", "vague", Vague),
        ]

    @hookimpl
    def ptx_score(self, scorer, prompts, completions, references):
        if isinstance(scorer, Contrary):
            return [float(text != answer) for text, answer in zip(completions, references, strict=True)]
        if isinstance(scorer, Vague):
            return [
                len(prompt) + int(text) % 5 * 0.1 for prompt, text in zip(prompts, completions, strict=True)
            ]
        return [float(len(prompt)) for prompt in prompts] if isinstance(scorer, Fond) else None


SCORERS = {
    "answer": Answer(),
    "exact": Exact(),
    "format": Regex(pattern="[0-9]+"),
    "length": Length(words=1),
    "contrary": Contrary(),
    "fond": Fond(),
    "vague": Vague(),
}


@pytest.fixture
def tried(make_run):
    def attempt(rows, *names, **settings):
        method = Reinforced(rewards=list(names), **settings)
        run = make_run(RunConfig(method=method, scorer=SCORERS), [ptx_scorers, Plugin()])
        try_scorers(run, method, rows)
        return run.console.lines

    return attempt


def test_a_scorer_that_knows_right_answers_is_let_through_with_its_numbers(tried):
    (line,) = tried(ROWS, "answer")
    assert line == "step: scorer 'answer': 1 for references, 0 for those of other prompts (12 prompts)"


@pytest.mark.parametrize("name", ["format", "length"])
def test_a_scorer_of_the_form_alone_is_no_failure(tried, name):
    assert "reads the form of a reply alone" in tried(ROWS, name)[0]


def test_without_references_or_with_few_or_equal_ones_nothing_is_tried(tried):
    assert tried([{"prompt": row["prompt"], "answer": None} for row in ROWS], "contrary") == []
    assert tried(ROWS[:4], "contrary") == []
    assert tried([{**row, "answer": "7"} for row in ROWS], "contrary") == []


@pytest.mark.parametrize("name", ["contrary", "fond"])
def test_a_reward_that_cannot_tell_them_apart_is_refused_unless_told_otherwise(tried, name):
    with pytest.raises(
        StepError, match=f"the scorer '{name}' gives .* cannot tell them apart.*try_scorers=false"
    ):
        tried(ROWS, "answer", name)
    assert tried(ROWS, name, try_scorers=False) == []


def test_a_reward_model_that_finds_bare_references_odd_is_let_through_with_a_word(tried):
    (line,) = tried(ROWS, "vague")
    assert line.endswith("a difference within chance (12 prompts)")
