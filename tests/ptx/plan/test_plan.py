"""The values of a plan."""

from pathlib import Path

from ptx.plan.plan import SweepPlan, command_line


def test_a_run_shows_the_steps_and_measurements_of_its_work(plan_of):
    run = plan_of("compress=[halve]").runs[-1]
    assert [step.name for step in run.steps] == ["toy", "halve"]
    assert [measure.name for measure in run.evaluations] == ["latency"]
    assert (run.reference, run.device) == (None, "cpu")
    assert run.steps[0].key == run.steps[0].identity.key
    assert run.evaluations[0].key == run.evaluations[0].identity.key


def test_a_run_can_be_planned_with_other_measurements(plan_of):
    run = plan_of().runs[-1]
    assert run.measuring(()).evaluations == ()
    assert run.measuring(()).steps == run.steps
    assert len(run.evaluations) == 1


def test_baselines_do_not_make_a_sweep(plan_of):
    assert [run.baseline for run in plan_of().runs] == [True, False]
    assert not plan_of().is_sweep
    assert plan_of("seed=1,2", multirun=True).is_sweep


def test_records_and_the_store_lie_below_the_output_folder(tmp_path):
    plan = SweepPlan("mine", "train", "ptx train", tmp_path, (), {})
    assert plan.folder == tmp_path / "runs" / "mine"
    assert plan.store.root == tmp_path / "store"
    assert SweepPlan("mine", "train", "", Path("out"), (), {}).store.root.is_absolute()


def test_a_command_line_can_be_pasted_into_a_shell():
    assert command_line(["train", "method=toy", "against=compress=[] seed=1"]) == (
        "ptx train method=toy 'against=compress=[] seed=1'"
    )
