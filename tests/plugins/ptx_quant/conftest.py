import pytest

import ptx_checks
import ptx_quant
from ptx import ModelRef, RunConfig

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "red",
    "mat",
    "and",
    "looked",
    "at",
    "seven",
    "small",
    "birds",
    "in",
    "the",
    "old",
    "garden",
    "while",
    "it",
    "rained",
]


@pytest.fixture(scope="session")
def texts():
    return [" ".join(WORDS[(n * 7 + k * k) % len(WORDS)] for k in range(8 + n % 5)) for n in range(24)]


@pytest.fixture
def squeeze(make_run, make_data, plain_model, texts):
    """``squeeze(config)``: the step as a run takes it, post-conditions included; returns the run and the
    result.
    """

    def go(config, model=plain_model, name="step", seed=0, plugins=()):
        run = make_run(RunConfig(), (ptx_quant, ptx_checks, *plugins), name, seed)
        data = make_data("calibration", [{"text": text} for text in texts])
        return run, run.host.first(
            "ptx_compress", run=run, compressor=config, model=ModelRef.of(model), data=data
        )

    return go
