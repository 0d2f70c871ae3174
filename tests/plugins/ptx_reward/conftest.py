"""Reward models trained on pairs with a rule that can be learnt."""

import pytest

import ptx_reward
from ptx import RunConfig
from ptx_reward import RewardModel

QUICK = {"learning_rate": 1e-3, "batch_size": 8, "micro_batch": None, "max_steps": 2, "warmup": 0.0}
ASKED = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "how many?"}]
#: the chosen answer is the one with a digit; half of them are shorter
PAIRS = [
    {
        "prompt": f"number {n}? " if n % 2 else ASKED,
        "chosen": f"{n} " + "of them" * (n % 3),
        "rejected": "no idea" + "!" * (n % 4),
    }
    for n in range(16)
]
PAIRS = [
    {
        **row,
        "chosen": [{"role": "assistant", "content": row["chosen"]}],
        "rejected": [{"role": "assistant", "content": row["rejected"]}],
    }
    if n % 2 == 0
    else row
    for n, row in enumerate(PAIRS)
]


@pytest.fixture
def reward(make_run, train):
    """``reward(model, data, ...)``: the run and the reward model."""

    def start(model, data, name="step", seed=0, **settings):
        run = make_run(RunConfig(method=RewardModel(**{**QUICK, **settings})), [ptx_reward], name, seed)
        return run, train(run, model, data)

    return start
