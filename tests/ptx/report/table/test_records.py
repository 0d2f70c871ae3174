import json
import shutil

import pytest

from ptx.errors import ConfigError
from ptx.files import write_json
from ptx.report import build, load_records


def ids(records):
    return [record.id for record in records]


@pytest.fixture
def sweep(new_sweep):
    made = new_sweep()
    made.run({}, baseline=True)
    made.run({"method": "sft"})
    made.run({"method": "dpo"})
    return made


def test_a_run_a_sweep_and_any_folder_above_are_accepted(sweep, tmp_path):
    assert ids(load_records([sweep.folder / "sft"])) == ["sft"]
    assert ids(load_records([sweep.folder])) == ["baseline", "sft", "dpo"]
    assert ids(load_records([tmp_path])) == ["baseline", "sft", "dpo"]


def test_a_run_given_twice_is_read_once(sweep, tmp_path):
    assert ids(load_records([sweep.folder, sweep.folder / "sft", tmp_path])) == ["baseline", "sft", "dpo"]


def test_the_store_is_not_searched_for_runs(sweep, tmp_path):
    shutil.copytree(sweep.folder / "sft", tmp_path / "store" / "steps" / "sft")
    assert len(load_records([tmp_path])) == 3


def test_a_planned_run_that_has_not_begun_is_a_record(sweep):
    shutil.rmtree(sweep.folder / "dpo")
    assert [record.status for record in load_records([sweep.folder])] == ["done", "done", "planned"]


def test_broken_json_is_named_and_the_other_runs_are_kept(sweep, tmp_path):
    (sweep.folder / "sft" / "result.json").write_text('{"status": "done",\n "metrics": [}', encoding="utf-8")
    records = load_records([sweep.folder])
    assert [record.status for record in records] == ["done", "unreadable", "done"]
    assert records[1].problems == ["result.json: it is not JSON: Expecting value at line 2 column 14"]
    assert "result.json: it is not JSON" in build([sweep.folder], tmp_path / "out").html.read_text()


@pytest.mark.parametrize("text", ["", "[]", "3", "\x00", "{"])
def test_a_run_json_that_holds_no_object_is_unreadable(sweep, tmp_path, text):
    (sweep.folder / "sft" / "run.json").write_text(text)
    assert [record.status for record in load_records([sweep.folder])] == ["done", "unreadable", "done"]
    assert "run.json" in build([sweep.folder], tmp_path / "out").markdown.read_text()


def test_a_broken_metric_is_named_and_the_others_are_kept(sweep, tmp_path):
    path = sweep.folder / "sft" / "result.json"
    result = json.loads(path.read_text())
    count = len(result["metrics"])
    result["metrics"][0]["low"] = 2.0
    path.write_text(json.dumps(result))
    record = load_records([path.parent])[0]
    assert len(record.metrics) == count - 1
    assert "lies outside its interval" in record.problems[0]
    assert "lies outside its interval" in build([sweep.folder], tmp_path / "out").html.read_text()


def test_an_example_file_that_is_broken_costs_the_pairing_and_is_named(sweep, tmp_path):
    (sweep.folder / "sft" / "evaluations" / "bench.jsonl").write_text("{]\n")
    html = build([sweep.folder], tmp_path / "out").html.read_text()
    assert "bench.jsonl is broken" in html
    assert "from the two intervals" in html


def test_a_broken_sweep_file_does_not_hide_its_runs(sweep):
    (sweep.folder / "sweep.json").write_text("{")
    records = load_records([sweep.folder])
    assert ids(records) == ["baseline", "dpo", "sft"]
    assert "sweep.json: it is not JSON" in records[0].problems[0]


def test_a_path_that_is_not_a_folder_is_refused_with_advice():
    with pytest.raises(ConfigError, match="give a run's or a sweep's folder"):
        load_records(["/nonexistent-folder-of-runs"])


def test_runs_of_an_earlier_plan_of_the_same_sweep_are_left_out(sweep):
    write_json(sweep.folder / "sweep.json", {"name": "demo", "runs": ["baseline", "dpo"]})
    assert ids(load_records([sweep.folder])) == ["baseline", "dpo"]
