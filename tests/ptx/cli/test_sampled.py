"""Answers of a model to a few prompts: how they are sampled, which rows are taken, what they earn."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ptx.cli.sampled import Sampling, asked, scored, spread
from ptx_grpo import GRPO


@pytest.mark.parametrize(
    ("most", "taken"),
    [(3, [0, 3, 6]), (1, [0]), (10, [*range(10)]), (99, [*range(10)]), (4, [0, 2, 5, 7])],
)
def test_the_rows_that_are_tried_are_spread_over_the_file(most, taken):
    assert spread(range(10), most) == taken


def test_answers_are_sampled_as_the_method_samples_them():
    method = GRPO(
        rewards=["answer", "regex"], reward_weights=[1.0, 0.5], num_generations=4, max_completion_length=32
    )
    assert Sampling.of(method) == Sampling(4, 32, 1.0, {"answer": 1.0, "regex": 0.5})
    assert Sampling.of(None) == Sampling(8, 256, 1.0, {"answer": 1.0})


class Words:
    """Says the seed and the place of each prompt; its context has 20 words."""

    max_length = 20
    tokenizer = staticmethod(lambda text, **_: {"input_ids": text.split()})

    def generate(self, prompts, tokens, *, temperature, seed):
        assert (tokens, temperature, seed) == (10, 0.7, 5)
        return [f"{place}" for place in range(len(prompts))]


def test_each_answer_is_scored_against_the_reference_of_its_own_prompt():
    seen = []

    def score(name, prompts, answers, references):
        seen.append((name, prompts, answers, references))
        return [float(answer) for answer in answers]

    rows = [{"prompt": "a", "answer": 7}, {"prompt": "b " * 15}, {"prompt": "c"}]
    how = Sampling(2, 99, 0.7, {"one": 1.0, "two": 0.5})
    groups = scored(SimpleNamespace(score=score, seed=5), Words(), rows, how)
    assert groups == [[0.0, 1.5], None, [3.0, 4.5]]
    assert seen[0] == ("one", ["a", "a", "c", "c"], ["0", "1", "2", "3"], ["7", "7", None, None])


def test_without_a_template_the_turns_stand_one_below_the_other():
    lm = SimpleNamespace(tokenizer=SimpleNamespace(chat_template=None))
    assert asked(lm, [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]) == (
        "be brief\nhi"
    )
