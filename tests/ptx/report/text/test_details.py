"""Details of a report: failures, steps, configuration."""

from ptx.report import build
from ptx.report.text.details import config_changes, last_location, works_of
from tests.ptx.report.pages import data_of, texts


def test_the_last_location_of_a_traceback_is_the_innermost_file():
    trace = (
        'Traceback:\n  File "a.py", line 1, in f\n    g()\n  File "b.py", line 2, in g\n    raise X\nX:'
        " text\nwith two lines"
    )
    assert last_location(trace) == 'File "b.py", line 2, in g'
    assert last_location("X: text") == "X: text"
    assert last_location("") == ""


def test_failed_unfinished_and_planned_runs_are_shown_with_the_reason(new_sweep, tmp_path):
    sweep = new_sweep(more_runs=["kto-later"])
    sweep.run({}, baseline=True)
    sweep.run({"method": "sft"}, skill=0.7)
    sweep.run({"method": "dpo"}, status="failed")
    sweep.run({"method": "grpo"}, status="unfinished")
    report = build([sweep.folder], tmp_path / "out")
    html, markdown = texts(report)
    assert [row.status for row in report.frame.rows] == ["done", "done", "failed", "unfinished", "planned"]
    for text in (html, markdown):
        assert "3 runs without results: 1 failed, 1 planned but not started, 1 unfinished." in text
        assert "StepError: loss is nan at step 12" in text
        assert "train.py" in text
        assert "line 77, in train" in text
        assert "no result.json: still running, or killed" in text
        assert "kto-later" in text
    assert data_of(report)["rows"]["status"]["values"] == ["done", "failed", "unfinished", "planned"]


def test_configuration_is_shown_where_it_differs_from_the_baseline(demo_report):
    changed = {row.label: {key for key, _, _ in config_changes(row)} for row in demo_report.frame.rows}
    assert changed["baseline"] == set()
    assert "method.learning_rate" in changed["sft"]
    assert "compress.gptq.bits" in changed["sft · gptq"]


def test_steps_know_who_shares_them(demo_report):
    (sft,) = [one for one in works_of(demo_report.frame) if one.name == "sft"]
    assert (sft.seconds, len(sft.used_by)) == (31.5, 3)
