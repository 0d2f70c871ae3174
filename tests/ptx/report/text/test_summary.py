"""The sentences of the summary."""

import re

from ptx.files import write_rows
from ptx.report import build
from ptx.report.table.units import TIMES
from tests.ptx.report.pages import table, texts


def test_the_summary_names_the_best_the_smallest_and_the_fastest(demo_report):
    html, markdown = texts(demo_report)
    for text in (html, markdown):
        assert "12 runs are compared with the untouched model on bench mean" in text
        assert "Highest quality measured:" in text  # not "Best": others are not measurably worse
        assert "Smallest without measurable loss:" in text
        assert f"4.0{TIMES} smaller than the baseline" in text
        assert re.search(r"Fastest:.* faster than the baseline", text)


def test_the_counts_of_the_summary_are_those_of_the_table(demo_report):
    html, _ = texts(demo_report)
    better, worse, same = map(
        int, re.search(r"(\d+) better, (\d+) worse, (\d+) not measurably", html).groups()
    )
    marks = [row[1][0] for row in table(html, 'id="results"')[1:]]
    assert (marks.count("▲"), marks.count("▼"), marks.count("≈")) == (better, worse, same)
    assert better > 0
    assert same > 0


def test_equal_models_are_reported_as_no_difference_beyond_noise(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, skill=0.5, baseline=True)
    for name in ("sft", "dpo", "kto"):
        sweep.run({"method": name}, skill=0.5)
    html, markdown = texts(build([sweep.folder], tmp_path / "out"))
    assert "<strong>no difference beyond noise.</strong>" in html
    assert "**no difference beyond noise.**" in markdown
    assert "No run is measurably faster than the baseline" in markdown
    assert "Nothing is smaller than the baseline" in markdown
    assert "▲" not in "".join(str(row) for row in table(html, 'id="results"'))


def test_rows_that_lack_an_evaluator_for_one_reason_share_a_sentence(new_sweep, tmp_path):
    sweep = new_sweep()
    for compress in ("[]", "[rtn]", "[gptq]"):
        folder = sweep.run({"compress": compress})
        if compress != "[]":
            row = {
                "item": "latency",
                "scores": {},
                "segments": {},
                "status": "emulated",
                "reason": "it is unpacked first",
            }
            write_rows(folder / "evaluations" / "latency.jsonl", [row])
    markdown = build([sweep.folder], tmp_path / "out").markdown.read_text()
    assert "**rtn, gptq** have no latency: it is unpacked first." in markdown


def test_a_single_model_is_labelled_by_its_name_and_not_compared(evaluated):
    report = evaluated("/somewhere/tiny")
    text = report.markdown.read_text()
    assert [row.label for row in report.frame.rows] == ["tiny"]
    assert "One model, measured as it is: there is nothing to compare it with" in text
    assert "smaller" not in text.partition("## Results")[0]
    assert "Fastest" not in text


def test_times_of_two_sessions_are_shown_and_not_compared(evaluated):
    report = evaluated("/a/base", "/b/slow")
    text = report.markdown.read_text()
    assert "Times were measured in a separate session per model and are not compared" in text
    assert "request, baseline" not in text
    line = next(line for line in text.splitlines() if line.startswith("| slow | latency/request\\_seconds"))
    assert line.endswith("n=20 | \N{EN DASH} |")
