"""The steps of a run and their keys."""

import pytest

from ptx import Compressor, Method, Runtime
from ptx.plan.work import kind_of, work_of
from ptx.records import ModelRef


class TrainingCompressor(Method, Compressor):
    pass


@pytest.mark.parametrize(
    ("step", "kind"),
    [(Method(), "train"), (Compressor(), "compress"), (TrainingCompressor(), "train"), (Runtime(), "export")],
)
def test_the_kind_of_a_step_follows_from_its_type(step, kind):
    assert kind_of(step) == kind


def test_the_input_of_a_step_is_the_step_before_it(plan_of):
    run = plan_of("compress=[halve,round]").runs[-1]
    train, halve, rounded = run.steps
    assert train.identity.ingredients["input"] == {"model": run.model.digest}
    assert halve.identity.ingredients["input"] == {"step": train.key}
    assert rounded.identity.ingredients["input"] == {"step": halve.key}
    assert run.evaluations[0].identity.ingredients["input"] == {"step": rounded.key}


def test_a_changed_step_changes_the_keys_behind_it_and_none_before(plan_of):
    first = plan_of("compress=[halve,round]").runs[-1]
    other = plan_of("compress=[halve,round]", "compress.halve.keep=0.25").runs[-1]
    assert [a.key == b.key for a, b in zip(first.steps, other.steps, strict=True)] == [True, False, False]
    assert first.evaluations[0].key != other.evaluations[0].key


def test_a_run_without_steps_measures_the_model_itself(toy_host, config_of, desk):
    config = config_of("method=null")
    work = work_of(toy_host, config, ModelRef(desk / "model", "digest"))
    assert (work.steps, work.reference) == ((), None)
    assert work.evaluations[0].identity.ingredients["input"] == {"model": "digest"}
