"""Details of a report: failures, steps, configuration, flipped answers."""

import re

import pytest

from ptx.records import Metric
from ptx.report import build
from ptx.report.text.details import last_location
from tests.ptx.report.pages import table, texts
from tests.ptx.report.runs import write_run, write_sweep

TASK, MEAN = "bench/choices/acc", "bench/mean"


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
    assert {"failed", "unfinished", "planned"} <= {
        word for row in table(html, 'id="results"') for cell in row for word in cell
    }


def test_flips_explain_the_difference_in_right_answers(demo_report):
    html, _ = texts(demo_report)
    lost, gained = map(int, re.search(r"Flips against baseline: (\d+) lost, (\d+) gained", html).groups())
    # the plain difference in right answers is what the flips explain
    row, base = demo_report.frame.rows[1], demo_report.frame.rows[0]
    right = [
        round(r.metric(f"bench/{task}/exact_match").value * n)
        for r in (row, base)
        for task, n in (("tiny_answers", 180), ("tiny_choices", 120))
    ]
    assert gained - lost == right[0] + right[1] - right[2] - right[3]


def test_steps_show_who_shares_them(demo_report):
    html, _ = texts(demo_report)
    steps = {row[0][0]: row for row in table(html, 'id="steps"')}
    assert steps["sft"][5] == ["3", "rows"]
    assert steps["sft"][3] == ["32", "s"]


def test_configuration_is_shown_where_it_differs_from_the_baseline(demo_report):
    html, _ = texts(demo_report)
    part = html[html.index("Configuration, where it differs from baseline") :]
    assert "method.learning_rate" in part[:1500]
    assert "compress.gptq.bits" in html


@pytest.fixture
def answers_report(tmp_path):
    """``answers_report(before=scores, after=scores)``: the HTML; each answer is right (1) or wrong (0)."""

    def make(**answers):
        for ident, right in answers.items():
            rows = [
                {
                    "item": f"choices:{n}",
                    "scores": {TASK: value, MEAN: value},
                    "segments": {},
                    "output": f"said {value}",
                    "latency": 0.0617,
                }
                for n, value in enumerate(right)
            ]
            share = sum(right) / len(right)
            metrics = [
                Metric(name, share, "fraction", "higher", 0.0, 1.0, len(right)) for name in (TASK, MEAN)
            ]
            folder = tmp_path / "sweep" / ident
            write_run(folder, "bench", rows, metrics, baseline=ident == "before", varied={}, config={})
        sweep = write_sweep(tmp_path / "sweep", *answers)
        return build([sweep], tmp_path / "report").html.read_text()

    return make


def test_an_item_whose_score_is_in_two_metrics_is_one_flip(answers_report):
    html = answers_report(before=[1.0] * 6 + [0.0] * 4, after=[1.0] * 4 + [0.0] * 5 + [1.0])
    assert "Flips against before: 2 lost, 1 gained" in html


def test_the_time_an_item_took_is_no_part_of_the_report(answers_report):
    assert "0.0617" not in answers_report(before=[1.0, 0.0, 1.0], after=[0.0, 1.0, 1.0])
