"""Runs of ``method=ppo``."""

import pytest

import ptx_ppo
import ptx_scorers
from ptx import RunConfig
from ptx_ppo import PPO
from ptx_scorers import Regex

PLUGINS = [ptx_ppo, ptx_scorers]
PROMPTS = [{"prompt": f"what is {n} plus {n}? ", "answer": 2 * n} for n in range(16)]
QUICK = {
    "learning_rate": 1e-3,
    "critic_learning_rate": 1e-3,
    "batch_size": 8,
    "max_completion_length": 8,
    "max_steps": 2,
    "warmup": 0.0,
    "micro_batch": None,
}


@pytest.fixture
def ppo(make_run, train):
    def start(model, data, name="step", seed=0, models=None, **settings):
        method = PPO(**{**QUICK, "rewards": ["vowel"], **settings})
        scorer = {"vowel": Regex(pattern="[aeiou]", full=False)}
        run = make_run(RunConfig(method=method, scorer=scorer), PLUGINS, name, seed).at(models=models or {})
        return run, train(run, model, data)

    return start
