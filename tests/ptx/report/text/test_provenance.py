"""The provenance of a report."""

from ptx.report import build
from ptx.report.table.records import Record
from ptx.report.text.provenance import provenance_of
from tests.ptx.report.pages import texts


def finished(tmp_path, day, **run):
    result = {"finished": f"2026-03-0{day}T10:00:00+00:00", "seconds": 30.0}
    return Record(tmp_path, "done", run=run, result=result)


def test_a_note_says_that_the_model_is_for_demonstration(demo_report, new_sweep, tmp_path):
    other = new_sweep(model="org/other")
    other.run({"method": "sft"})
    assert "demonstration and test model" in demo_report.html.read_text(encoding="utf-8")
    assert "demonstration and test model" in texts(demo_report)[1]
    assert not any(
        "demonstration and test model" in text for text in texts(build([other.folder], tmp_path / "out"))
    )


def test_equal_facts_are_named_once_and_different_ones_all(tmp_path):
    records = [
        finished(
            tmp_path,
            day,
            versions={"torch": "2.13.0", "ptx": "0.1.0"},
            data={"name": name, "digest": "d" * 40},
        )
        for day, name in ((1, "a"), (2, "b"))
    ]
    lines = dict(provenance_of(records).lines)
    assert lines["versions"] == ["ptx 0.1.0, torch 2.13.0"]
    assert lines["data"] == ["a (dddddddddddd)", "b (dddddddddddd)"]
    assert "machines" not in lines


def test_selections_of_one_dataset_and_versions_that_differ_are_one_line_each(tmp_path):
    records = [
        finished(tmp_path, 1, versions={"ptx": "0.1.0", "onnx": number}, data={"name": "a", "digest": digest})
        for number, digest in (("1", "one"), ("2", "two"), ("2", "two"))
    ]
    lines = dict(provenance_of(records).lines)
    assert lines["data"] == ["a (2 selections of it: one, two)"]
    assert lines["versions"] == ["ptx 0.1.0", "differs between runs: onnx 1 and 2"]


def test_the_date_is_that_of_the_latest_record(tmp_path):
    found = provenance_of([finished(tmp_path, 3), finished(tmp_path, 1)])
    assert found.date == "2026-03-03"
    assert dict(found.lines)["finished"] == ["2026-03-01T10:00:00+00:00 to 2026-03-03T10:00:00+00:00"]
    assert dict(found.lines)["time"][0].endswith("in 2 runs")


def test_records_that_say_nothing_have_no_lines(tmp_path):
    found = provenance_of([Record(tmp_path, "planned")])
    assert (found.lines, found.notes, found.date) == ([], [], "")


def test_time_counts_runs_and_what_the_steps_of_the_store_had_taken(tmp_path):
    from ptx.files import read_json, write_json
    from ptx.report import load_records
    from tests.ptx.report.runs import exact, write_run

    steps = [
        {"name": "sft", "kind": "train", "key": "k1", "shared": True, "seconds": 839.0},
        {"name": "gptq", "kind": "compress", "key": "k2", "shared": False, "seconds": 30.0},
    ]
    for name in ("a", "b"):
        write_run(tmp_path / name, "quiz", [], [exact("quiz/right", 0.5)])
        result = read_json(tmp_path / name / "result.json")
        write_json(tmp_path / name / "result.json", result | {"seconds": 110.0, "steps": steps})
    (time,) = [values for name, values in provenance_of(load_records([tmp_path])).lines if name == "time"]
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for text in time] == [
        "3 min 40 s in 2 runs; the steps that they took from the store had taken 13 min 59 s before"
    ]
