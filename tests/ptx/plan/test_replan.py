"""A worker plans one recorded run again, and notices what has changed."""

import json

import pytest

from ptx import ConfigError
from ptx.execute.sweep import run_sweep
from ptx.files import read_json
from ptx.plan.replan import differences, replan
from ptx.testing import Silent


@pytest.fixture
def recorded(plan_of, toy_host):
    """A run of the toy plugin, and its record."""
    plan = plan_of("compress=[halve]")
    run_sweep(plan, toy_host, Silent())
    return plan.runs[-1], read_json(plan.folder / plan.runs[-1].id / "run.json")


def test_the_run_is_planned_with_the_recorded_keys(recorded, toy_host):
    run, record = recorded
    again = replan(toy_host, record)
    assert (again.id, again.label, again.config) == (run.id, run.label, run.config)
    assert [step.key for step in again.steps] == [step.key for step in run.steps]
    assert [measure.key for measure in again.evaluations] == [measure.key for measure in run.evaluations]


def test_changed_data_is_refused_with_what_has_changed(recorded, toy_host, desk):
    (desk / "text.jsonl").write_text(json.dumps({"text": "another"}) + "\n")
    with pytest.raises(
        ConfigError, match=r"toy has changed since it was planned: data\.digest .* -> "
    ) as caught:
        replan(toy_host, recorded[1])
    assert "run the command again" in str(caught.value)


def test_a_lost_input_is_refused_as_the_planner_refuses_it(recorded, toy_host, desk):
    (desk / "text.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"there is no file or folder text\.jsonl"):
        replan(toy_host, recorded[1])


def test_differences_names_the_leaves_that_differ():
    before = {"config": {"beta": 0.1, "lr": 1}, "seed": 0}
    after = {"config": {"beta": 0.2, "lr": 1}, "seed": 0, "launch": "x"}
    assert differences(before, after) == "config.beta 0.1 -> 0.2, launch None -> x"
    assert differences(before, before) == ""
