"""Runs of methods without a reference."""

import pytest

import ptx_pairwise
from ptx import RunConfig

QUICK = {"learning_rate": 1e-3, "batch_size": 8, "micro_batch": None, "max_steps": 2, "warmup": 0.0}
LONG = " and that is the whole answer"
PAIRS = [
    {"prompt": f"what is {n}? ", "chosen": f"it is {n}" + LONG * (n % 3), "rejected": "no" + "!" * (n % 5)}
    for n in range(16)
]


@pytest.fixture
def pairwise(make_run, train):
    """``pairwise(kind, model, data, ...)``: the run and its result."""

    def start(kind, model, data, name="step", seed=0, **settings):
        run = make_run(RunConfig(method=kind(**{**QUICK, **settings})), [ptx_pairwise], name, seed)
        return run, train(run, model, data)

    return start
