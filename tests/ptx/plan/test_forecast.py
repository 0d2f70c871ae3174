"""The forecast of a plan: memory, time and cost, said before the first step."""

import math

import pytest

import ptx_hf
import ptx_latency
import ptx_sft
import ptx_tiny
from ptx import ConfigError, machine
from ptx.compose.jobs import compose_jobs
from ptx.plan import rates
from ptx.plan.forecast import Forecast, duration, memory_problems, rate_kind
from ptx.plan.planner import make_plan
from ptx.plan.rates import Rates

SFT = ["model=tiny", "data=tiny", "data.limit=50", "method=sft", "method.max_steps=10", "eval=[]"]


@pytest.fixture
def host(host_with):
    return host_with(sft=ptx_sft, tiny=ptx_tiny, hf=ptx_hf, latency=ptx_latency)


@pytest.fixture
def plan_of(host, desk):
    def plan(*words, multirun=False):
        jobs = compose_jobs(host, "train", [*SFT, *words], multirun=multirun)
        return make_plan(host, "train", jobs, "ptx test")

    return plan


@pytest.fixture
def memory(monkeypatch):
    """``memory(free, total)`` in bytes: how much the machine has."""

    def have(free, total=math.inf):
        monkeypatch.setattr(machine, "free_bytes", lambda _device: free)
        monkeypatch.setattr(machine, "total_bytes", lambda _device: total)

    return have


def test_the_memory_of_a_step_is_said_with_what_takes_it_and_what_is_free(plan_of, host, memory):
    memory(8e9)
    (line,) = [line for line in Forecast(plan_of(), host).lines() if line.startswith("memory")]
    assert "sft needs about" in line
    assert "of the 8.0 GB that the machine has free: libraries 620 MB, " in line
    assert line.endswith("; micro_batch=16 of 16")


def test_a_sweep_says_the_largest_of_each_kind_of_step(plan_of, host, memory):
    memory(8e9)
    plan = plan_of("method.max_length=64,512", multirun=True)
    lines = [line for line in Forecast(plan, host).lines() if line.startswith("memory")]
    assert len(lines) == 1
    assert "sft needs at most about" in lines[0]


def test_a_step_that_may_not_fit_is_a_warning_with_what_to_type(plan_of, host, memory):
    memory(0.5e9)
    plan = plan_of("method.micro_batch=8")
    (line,) = [line for line in Forecast(plan, host).lines() if line.startswith("warning")]
    assert line.startswith("warning: sft may not fit: try method.micro_batch=4, method.args.gradient_checkp")
    assert "lora=lora" in line


def test_workers_share_the_memory_of_the_machine(plan_of, host, memory):
    memory(1.2e9)
    words = ("method.micro_batch=8", "seed=0,1", "workers=2")
    (line,) = [
        line for line in Forecast(plan_of(*words, multirun=True), host).lines() if line.startswith("warning")
    ]
    assert "sft may not fit, 2 of them at a time" in line


def test_a_step_that_certainly_cannot_fit_is_refused_before_it_starts(plan_of, memory):
    memory(0.2e9, 0.3e9)
    with pytest.raises(ConfigError, match=r"sft needs at least .* MB .*, and the machine has 300 MB"):
        plan_of()


def test_what_runs_elsewhere_is_compared_with_no_memory_of_this_machine(plan_of, memory):
    memory(0.2e9, 0.3e9)
    assert plan_of("launch=torchrun").runs


def test_the_time_is_unknown_until_an_equal_step_ran_and_then_has_a_basis_and_a_cost(plan_of, host):
    plan = plan_of("price_per_hour=3")
    assert Forecast(plan, host).lines()[-1].startswith("time: not known until the first steps have ended")
    run, step = plan.runs[0], plan.runs[0].steps[0]
    rates.record(rate_kind(host, run, step), step.name, 1200.0)
    assert Forecast(plan, host).lines()[-1] == (
        "time: about 20 min, cost about 1 at 3 an hour, as 1 earlier one of the same kind took on"
        " this machine"
    )
    twice = plan_of("method.max_steps=20")
    assert Forecast(twice, host).lines()[-1].startswith("time: about 40 min, as 1 earlier one")


def test_what_is_in_the_store_needs_no_time_and_no_memory(plan_of, host, monkeypatch):
    plan = plan_of()
    monkeypatch.setattr(type(plan.store), "find", lambda *_: object())
    assert Forecast(plan, host).lines() == []


def test_workers_divide_the_time(plan_of, host):
    plan = plan_of("workers=2", "seed=0,1", multirun=True)
    run, step = plan.runs[0], plan.runs[0].steps[0]
    kind, units = rate_kind(host, run, step)
    known = [{"event": "ran", "kind": kind, "units": units, "seconds": 7}]
    forecast = Forecast(plan, host, Rates(known))
    seconds = [found.seconds for found in forecast.expected.values()]
    assert seconds == [7, 7]
    assert "time: about 7 s, " in forecast.lines()[-1]


def test_memory_problems_name_a_step_once_for_all_runs(plan_of, memory):
    memory(8e9)
    runs = plan_of("seed=0,1", multirun=True).runs
    memory(0.2e9, 0.3e9)
    assert len(memory_problems(runs)) == 1


@pytest.mark.parametrize(
    ("seconds", "said"), [(50, "50 s"), (150, "2.5 min"), (3600 * 3, "3.0 h"), (86400 * 30, "30 days")]
)
def test_durations_are_said_in_the_unit_that_suits(seconds, said):
    assert duration(seconds) == said
