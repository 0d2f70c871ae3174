import os

import pytest

from ptx.cli.results import ExportResult, read_sweep
from ptx.errors import StepError
from ptx.files import read_json, write_json
from tests.ptx.report.runs import exact, write_run, write_sweep


@pytest.fixture
def swept(tmp_path):
    """A baseline, a run that has made a model and a dataset, and one that has failed."""
    folder = tmp_path / "s"
    write_run(folder / "before", "quiz", [], [exact("quiz/right", 0.5, "higher")], baseline=True)
    write_run(folder / "sft", "quiz", [], [exact("quiz/right", 0.75, "higher")])
    write_run(folder / "dpo", "quiz", [], [], label="<b>dpo", varied={"method": "<b>dpo"})
    done = read_json(folder / "sft" / "result.json")
    steps = [{"name": "sample", "kind": "make"}, {"name": "sft", "kind": "train"}]
    write_json(folder / "sft" / "result.json", done | {"model": {"path": str(tmp_path)}, "steps": steps})
    (folder / "sft" / "sample").symlink_to(tmp_path)
    failed = {"status": "failed", "error": {"message": "loss is not finite"}, "metrics": []}
    write_json(folder / "dpo" / "result.json", failed)
    write_sweep(folder, "before", "sft", "dpo")
    write_json(
        folder / "sweep.json",
        read_json(folder / "sweep.json") | {"books": {"steps_ran": 2}, "workers": {"idle_share": 0.25}},
    )
    return read_sweep(folder)


def test_a_sweep_is_its_runs_with_their_paths_and_metrics(swept, tmp_path):
    assert [run.label for run in swept] == ["before", "sft", "<b>dpo"]
    assert (swept.counts, swept.idle_share, len(swept)) == ({"steps_ran": 2}, 0.25, 3)
    run = swept["sft"]
    assert (run.status, run["quiz/right"].value, run.baseline) == ("done", 0.75, swept.baseline)
    assert swept.baseline["quiz/right"].value == 0.5
    assert os.fspath(run) == str(tmp_path)
    assert run.made == {"sample": run.folder / "sample"}
    assert [run.error for run in swept.failed] == ["loss is not finite"]


def test_what_is_not_there_is_said_with_what_is(swept):
    with pytest.raises(KeyError, match="no metric 'quiz/rihgt'; did you mean 'quiz/right'"):
        swept["sft"]["quiz/rihgt"]
    with pytest.raises(KeyError, match="no run 'sfd'; did you mean 'sft'"):
        swept["sfd"]
    with pytest.raises(StepError, match="has made no model: loss is not finite"):
        os.fspath(swept[2])


def test_in_a_notebook_they_are_tables_whose_texts_are_escaped(swept):
    shown = swept._repr_html_()
    assert shown.count("<tr>") == 4
    assert "&lt;b&gt;dpo" in shown
    assert "<b>" not in shown
    assert "<td>quiz/right</td><td>0.75</td>" in swept["sft"]._repr_html_()
    assert "loss is not finite" in swept[2]._repr_html_()


def test_an_export_is_the_path_of_its_package(swept, tmp_path):
    package = ExportResult(tmp_path / "package", {"kl": 0.01}, swept["sft"])
    assert os.fspath(package) == str(tmp_path / "package")
    assert "<td>kl</td><td>0.01</td>" in package._repr_html_()


def test_the_table_of_a_sweep_is_the_one_of_load_sweep(swept):
    pytest.importorskip("pandas")
    table = swept.table()
    assert list(table["run"]) == ["before", "sft", "dpo"]
