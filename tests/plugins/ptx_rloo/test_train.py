"""RLOO: TRL's losses, its advantages in closed form, and rewards that change nothing."""

import math
from dataclasses import dataclass

import pytest
import torch

import ptx_rloo
import ptx_scorers
from ptx import Choice, ModelRef, RunConfig, Scorer, StepError, hookimpl
from ptx.lm.training import trainer as training
from ptx_rloo import RLOO
from ptx_scorers import Regex

PROMPTS = [{"prompt": f"what is {n} plus {n}? ", "answer": 2 * n} for n in range(16)]
QUICK = {
    "learning_rate": 1e-3,
    "batch_size": 8,
    "num_generations": 4,
    "max_completion_length": 8,
    "max_steps": 2,
    "warmup": 0.0,
    "micro_batch": None,
}


@dataclass
class Partly(Scorer):
    """How many vowels an answer has, and no score for one with an x or a y."""


class Plugin:
    __name__ = "partly"

    @hookimpl
    def ptx_choices(self):
        return [Choice("scorer", "partly", Partly)]

    @hookimpl
    def ptx_score(self, scorer, completions):
        if not isinstance(scorer, Partly):
            return None
        return [
            math.nan if {*"xy"} & {*text} else float(sum(map(text.count, "aeiou"))) for text in completions
        ]


VOWEL, ANY = Regex(pattern="[aeiou]", full=False), Regex(pattern="(?s).*")


@pytest.fixture
def rloo(make_run, train):
    def start(model, data, name="step", **settings):
        method = RLOO(**{**QUICK, "rewards": ["vowel"], **settings})
        run = make_run(
            RunConfig(method=method, scorer={"vowel": VOWEL, "any": ANY}), [ptx_rloo, ptx_scorers], name
        )
        return run, train(run, model, data)

    return start


@pytest.fixture
def kept(monkeypatch):
    """The trainers that were run."""
    found, run_it = [], training.run_trainer

    def keep(run, trainer, *rest):
        found.append(trainer)
        return run_it(run, trainer, *rest)

    monkeypatch.setattr("ptx_rloo.train.run_trainer", keep)
    return found


def test_advantages_are_rewards_minus_the_mean_of_the_siblings(rloo, make_data, chat_model, kept):
    run, _ = rloo(chat_model, make_data("prompts", PROMPTS), beta=0.0, max_steps=1, batch_size=32)
    logs = kept[0]._logs
    rewards = torch.tensor(list(logs["rewards"]["vowel"])).view(-1, 4)
    found = torch.tensor(list(logs["advantages"])).view(-1, 4)
    siblings = (rewards.sum(1, keepdim=True) - rewards) / 3
    assert 0 < rewards.mean() < 1
    torch.testing.assert_close(found, rewards - siblings)
    torch.testing.assert_close(found, 4 / 3 * (rewards - rewards.mean(1, keepdim=True)))  # GRPO's, unscaled
    assert {"reward", "unscored/vowel"} <= set(run.console.progressed[0])


def test_a_constant_that_is_added_to_all_rewards_changes_nothing(rloo, make_data, chat_model, kept):
    data = make_data("prompts", PROMPTS)
    for name, rewards in (("alone", ["vowel"]), ("more", ["vowel", "any"])):
        rloo(chat_model, data, name, beta=0.0, max_steps=1, batch_size=32, rewards=rewards)
    alone, more = (torch.tensor(list(trainer._logs["advantages"])) for trainer in kept)
    assert alone.abs().max() > 0
    torch.testing.assert_close(alone, more)


def test_answers_that_are_skipped_are_no_part_of_their_siblings_mean(
    make_run, train, make_data, chat_model, kept
):
    method = RLOO(
        **{**QUICK, "rewards": ["partly"], "unscored": "skip", "beta": 0.0, "max_steps": 1, "batch_size": 32}
    )
    run = make_run(RunConfig(method=method, scorer={"partly": Partly()}), [ptx_rloo, Plugin()])
    train(run, chat_model, make_data("prompts", PROMPTS))
    logs = kept[0]._logs
    rewards = torch.tensor([math.nan if one is None else one for one in logs["rewards"]["partly"]]).view(
        -1, 4
    )
    found, known = torch.tensor(list(logs["advantages"])).view(-1, 4), ~rewards.isnan()
    several = known.sum(1, keepdim=True) > 1
    assert (~known).any()
    siblings = (rewards.nansum(1, keepdim=True) - rewards) / (known.sum(1, keepdim=True) - 1)
    torch.testing.assert_close(found[known & several], (rewards - siblings)[known & several])
    assert (found[~known].nan_to_num() == 0).all()


def test_a_constant_reward_teaches_nothing_and_says_so(rloo, make_data, chat_model):
    with pytest.raises(StepError, match="all rewards were equal"):
        rloo(chat_model, make_data("prompts", PROMPTS), rewards=["any"], beta=0.0)


def test_training_raises_the_reward_and_is_the_same_after_a_stop(
    rloo, make_data, chat_model, make_run, train, losses_of
):
    data = make_data("prompts", PROMPTS)
    whole, made = rloo(chat_model, data, "whole", max_steps=4, checkpoint_every=2)
    broken = make_run(whole.config, [ptx_rloo, ptx_scorers], "broken")

    def stop_at_three(metrics, step, total=None):
        if step == 3:
            raise KeyboardInterrupt

    object.__setattr__(broken, "log", stop_at_three)
    with pytest.raises(KeyboardInterrupt):
        train(broken, chat_model, data)
    again = train(make_run(whole.config, [ptx_rloo, ptx_scorers], "broken"), chat_model, data)
    assert again.digest == made.digest != ModelRef.of(chat_model).digest
    run, _ = rloo(
        chat_model, data, "longer", max_steps=12, batch_size=32, num_generations=8, learning_rate=5e-3
    )
    rewards = [shown["reward"] for shown in run.console.progressed if "reward" in shown]
    assert sum(rewards[-3:]) > sum(rewards[:3]) + 0.3
