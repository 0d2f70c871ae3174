"""The built-in tiny model, quantised by optimum-quanto."""

import pytest

import ptx_checks
import ptx_quanto
from ptx import ModelRef, RunConfig


@pytest.fixture
def squeeze(make_run, make_data, plain_model):
    """``squeeze(config)``: the step as a run runs it, post-conditions included: the run, the result."""

    def quantised(config, model=plain_model, name="step"):
        run = make_run(RunConfig(), (ptx_quanto, ptx_checks), name)
        data = make_data(
            "calibration",
            [{"text": f"the {n} small birds looked at the garden while it rained"} for n in range(12)],
        )
        return run, run.host.first(
            "ptx_compress", run=run, compressor=config, model=ModelRef.of(model), data=data
        )

    return quantised
