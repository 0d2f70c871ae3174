"""What the jobs of a grid share."""

from ptx.compose import prepared
from ptx.compose.jobs import compose_jobs
from ptx.compose.prepared import Frozen

BASE = ["model=./model", "data=./text.jsonl", "method=toy", "eval=[latency]"]


def test_hydra_composes_and_evaluators_are_added_once_for_jobs_with_the_same_choices(
    toy_host, desk, monkeypatch
):
    calls = []
    for name in ("compose", "add_default_evaluators"):
        real = getattr(prepared, name)
        monkeypatch.setattr(
            prepared,
            name,
            lambda *args, _name=name, _real=real, **more: calls.append(_name) or _real(*args, **more),
        )
    words = [*BASE, "method.rate=0.1,0.2,0.3", "seed=range(0,4)"]
    assert len(compose_jobs(toy_host, "train", words, multirun=True)) == 12
    assert calls == ["compose", "add_default_evaluators"]


def test_a_switch_of_an_evaluator_holds_for_its_own_jobs(toy_host, desk):
    jobs = compose_jobs(toy_host, "train", [*BASE, "eval.latency=true,false"], multirun=True)
    assert [list(job.config.eval) for job in jobs] == [["latency"], []]


def test_later_calls_with_the_same_frozen_are_not_composed_again(toy_host, desk, monkeypatch):
    frozen = Frozen()
    (before,) = compose_jobs(toy_host, "train", BASE, frozen=frozen)
    monkeypatch.setattr(prepared, "compose", None)
    (after,) = compose_jobs(toy_host, "train", [*BASE, "method.rate=0.7"], frozen=frozen)
    assert before.config.method.rate == 0.1
    assert after.config.method.rate == 0.7
