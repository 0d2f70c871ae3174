"""Solutions whose wrong steps can be told: they hold an exclamation mark."""

import pytest

import ptx_process
from ptx import RunConfig
from ptx_process import Process, ProcessReward

QUICK = {"learning_rate": 5e-3, "batch_size": 16, "micro_batch": 16, "max_steps": 40, "warmup": 0.0}
SOLUTIONS = [
    {
        "prompt": f"count {n}",
        "steps": [f"{n} is ok", f"then {n}{'!' if n % 3 else ''}", f"so {n}{'!' if n % 3 == 2 else ''}"],
        "labels": [True, n % 3 == 0, n % 3 != 2],
    }
    for n in range(16)
]


@pytest.fixture
def process(make_run, train):
    """``process(model, data, ...)``: the run and the process reward model."""

    def start(model, data, name="step", seed=0, **settings):
        method = ProcessReward(**{**QUICK, **settings})
        config = RunConfig(method=method, scorer={"process": Process()})
        run = make_run(config, [ptx_process], name, seed)
        return run, train(run, model, data)

    return start
