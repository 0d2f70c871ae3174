"""The ``search:`` part of a sweep file: all that is wrong with it is reported before the first trial."""

from __future__ import annotations

import pytest

from ptx.errors import ConfigError
from ptx.search import read_search
from tests.ptx.search.conftest import GOAL, SPACE, problems


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sampler": ["tpe"]}, "no sampler ['tpe']"),
        ({"sampler": {"a": 1}}, "no sampler {'a': 1}"),
        ({"trials": 10**400}, "search.trials must be a whole number"),
        ({"seeds": [0, 10**400]}, "search.seeds must be a list of different whole numbers"),
        ({"early_stopping": {"metric": "loss", "goal": []}}, "search.early_stopping.goal is []"),
    ],
)
def test_values_of_another_type_are_named(host, desk, wrong, said):
    given = {"space": SPACE, "objectives": GOAL, "trials": 5}
    assert said in problems(host, **{**given, **wrong})


def test_everything_wrong_with_a_search_is_said_at_once(host, desk):
    said = problems(
        host,
        "method.y=0.1,0.2",
        sampler="tpee",
        trials=0,
        space={"method.x": "interval(2, 1)", "method.y": "5", "method.z": "tag(log, interval(0, 1))"},
        objectives={"gap/mean": "lower", "gap/x": [None]},
        seeds=[0, 0],
        early_stopping={"metric": "loss", "factor": 1},
        gate="shipp",
        speed=9,
    )
    for part in (
        "no sampler 'tpee'; did you mean 'tpe'?",
        "search.trials must be a whole number of at least 1, got 0",
        "search.space.method.x: interval(2, 1) is empty",
        "search.space.method.y: '5' is one value",
        "search.space.method.z: tag(log, interval(0, 1)) starts at or below zero",
        "search.objectives.gap/mean is 'lower'",
        "search.objectives.gap/x is [None]",
        "search.seeds must be a list of different whole numbers, got [0, 0]",
        "search.early_stopping.factor must be a whole number of at least 2, got 1",
        "no gate 'shipp'; did you mean 'ship'?",
        "search has no field 'speed'",
        "'method.y=0.1,0.2' names several values",
    ):
        assert part in said


def test_the_definition_holds_what_must_not_change_and_leaves_out_what_may(host, desk):
    given = {"space": SPACE, "objectives": GOAL, "trials": 5, "sampler": "random", "startup": 3}
    config = read_search(host, given, ["seed=1", "out=elsewhere", "name=study"])
    assert config.definition == {"space": SPACE, "objectives": GOAL, "overrides": ["seed=1"]}
    longer = read_search(host, given | {"trials": 9, "sampler": "tpe"}, ["seed=1"])
    assert longer.definition == config.definition


def test_a_gate_stands_in_the_definition_with_its_bounds_so_that_a_moved_bound_is_noticed(host, desk):
    given = {"space": SPACE, "objectives": GOAL, "trials": 5}
    near, far = (
        read_search(host, given | {"gate": {"large": {"metric": "gap/x", "at_least": bound}}}, [])
        for bound in (0.5, 0.6)
    )
    assert near.definition["gate"]["large"]["at_least"] == 0.5
    assert near.definition != far.definition


def test_directions_say_which_way_each_objective_is_better(host, desk):
    objectives = {"gap/mean": "minimize", "size/left": "maximize"}
    config = read_search(host, {"space": SPACE, "objectives": objectives, "trials": 1}, [])
    assert config.directions == ["lower", "higher"]


def test_a_search_that_is_no_mapping_is_refused(host):
    with pytest.raises(ConfigError, match="search must be a mapping, got 5"):
        read_search(host, 5, [])
