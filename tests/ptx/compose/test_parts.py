"""Parts of a composed configuration, each made once."""

from dataclasses import dataclass
from typing import Any

import pytest
from omegaconf import OmegaConf

from ptx.compose import parts as rooms
from ptx.compose.jobs import compose_jobs
from ptx.compose.parts import Parts
from ptx.compose.typed import typed
from ptx.config import RunConfig, Runtime, setting

BASE = ["model=./model", "data=./text.jsonl", "method=toy", "eval=[latency]"]


@dataclass
class Careful(Runtime):
    rate: float = setting(0.1, "how fast")
    tags: list[str] = setting(["a"], "names")

    def __post_init__(self) -> None:
        if self.rate > 1:
            raise ValueError(f"rate must be at most 1, got {self.rate}; try rate=1")


def composed(**fields: Any) -> Parts:
    node = OmegaConf.structured(RunConfig)
    OmegaConf.set_struct(node, value=False)
    for name, value in fields.items():
        node[name] = value
    return Parts(node)


def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what OmegaConf makes dataclasses of."""
    seen: list[str] = []
    real = OmegaConf.to_object

    def noted(node: Any) -> Any:
        seen.append(node._key() or "")
        return real(node)

    monkeypatch.setattr(OmegaConf, "to_object", noted)
    return seen


def test_a_part_that_no_word_changes_is_made_once_for_all_jobs(monkeypatch):
    parts, seen = composed(runtime=OmegaConf.structured(Careful)), made(monkeypatch)
    for seed in range(20):
        config, problems = parts.typed([("seed", seed), ("runtime.rate", 0.5)])
        assert config == RunConfig(seed=seed, runtime=Careful(0.5))
        assert not problems
    assert seen.count("runtime") == 1


def test_jobs_share_no_part():
    parts = composed(runtime=OmegaConf.structured(Careful))
    first, second = parts.typed([])[0], parts.typed([])[0]
    first.runtime.tags.append("b")
    first.tracker["w"] = 1
    assert second == RunConfig(runtime=Careful())


def test_a_reference_to_another_part_has_the_value_of_its_own_job():
    parts = composed(name="${device}")
    assert [parts.typed([("seed", seed)])[0].name for seed in (1, 2)] == ["auto", "auto"]
    parts = composed(runtime=OmegaConf.structured(Careful))
    config, _ = parts.typed([("seed", 1), ("runtime.rate", "${seed}")])
    assert config.runtime.rate == 1
    assert parts.typed([("seed", 0), ("runtime.rate", "${seed}")])[0].runtime.rate == 0


@pytest.mark.parametrize(
    "values",
    [
        [("runtime.rate", 7)],
        [("runtime.rate", "x")],
        [("runtime.nothing", 1)],
        [("nothing", 1)],
        [("nothing.at.all", 1)],
        [("seed", -1)],
        [("seed", 1.5)],
        [("threads", -2), ("runtime.rate", 9.0)],
        [("runtime.rate", float("nan"))],
        [("workers", 2**70)],
        [("runtime", "hf")],
        [("out", "")],
    ],
)
def test_problems_are_those_of_the_whole_configuration(values, monkeypatch):
    one, other = (
        composed(runtime=OmegaConf.structured(Careful)),
        composed(runtime=OmegaConf.structured(Careful)),
    )
    monkeypatch.setattr(other, "_apart", False)
    assert one.typed(values) == other.typed(values)
    assert one.typed(values)[1]


def test_a_grid_over_seeds_makes_each_part_once_whatever_its_length(toy_host, desk, monkeypatch):
    counted = made(monkeypatch)
    compose_jobs(toy_host, "train", [*BASE, "seed=0"])
    one = len(counted)
    counted.clear()
    jobs = compose_jobs(toy_host, "train", [*BASE, "seed=range(0,50)"], multirun=True)
    assert len(counted) <= one
    assert [job.config.seed for job in jobs] == list(range(50))


def test_the_parts_of_a_grid_are_those_of_its_jobs_alone(toy_host, desk):
    grid = ["seed=1,2", "method.rate=0.1,0.2", "eval=[latency],[]"]
    jobs = compose_jobs(toy_host, "train", [*BASE[:-1], *grid], multirun=True)
    assert len(jobs) == 8
    for job in jobs:
        (alone,) = compose_jobs(toy_host, "train", job.overrides)
        assert alone.config == job.config
        assert alone.notes == job.notes


def test_the_whole_is_made_where_a_part_cannot_be_kept(monkeypatch):
    monkeypatch.setattr(rooms, "untyped", lambda _: ["refused"])
    parts = composed(runtime=OmegaConf.structured(Careful))
    assert parts.typed([("seed", 3)]) == typed(
        OmegaConf.merge(
            OmegaConf.structured(RunConfig), {"seed": 3, "runtime": OmegaConf.structured(Careful)}
        )
    )
