"""Plans of the toy plugin, made without running anything."""

import pytest

from ptx.compose.jobs import compose_jobs
from ptx.plan.planner import make_plan

TOY = ["model=./model", "data=./text.jsonl", "method=toy", "eval=[latency]"]


@pytest.fixture
def plan_of(toy_host, desk):
    """The plan of ``ptx train`` with these words on the toy plugin (or another host)."""

    def plan(*words, host=toy_host, multirun=False):
        jobs = compose_jobs(host, "train", [*TOY, *words], multirun=multirun)
        return make_plan(host, "train", jobs, "ptx test")

    return plan


@pytest.fixture
def config_of(toy_host, desk):
    """The composed configuration of ``ptx train`` with these words."""

    def config(*words, host=toy_host):
        return compose_jobs(host, "train", [*TOY, *words])[0].config

    return config
