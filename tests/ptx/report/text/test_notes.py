"""The notes beside the decision."""

import math
import re

from ptx.files import write_rows
from ptx.records import Metric
from ptx.report import build, load_records, make_frame
from ptx.report.table.compare import compare_all
from ptx.report.text.notes import notes_of
from ptx.report.text.spans import words_of
from tests.ptx.report.pages import marks, texts


def test_the_counts_of_the_notes_are_those_of_the_table(demo_report):
    words, markdown = texts(demo_report)
    assert "12 runs are compared with the untouched model on bench mean" in markdown
    better, worse, same = map(
        int, re.search(r"(\d+) better, (\d+) worse, (\d+) not measurably", words).groups()
    )
    found = list(marks(demo_report, "bench/mean").values())
    assert (found.count("▲"), found.count("▼"), found.count("≈")) == (better, worse, same)
    assert better > 0
    assert same > 0


def test_equal_models_are_reported_as_no_difference_beyond_noise(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, skill=0.5, baseline=True)
    for name in ("sft", "dpo", "kto"):
        sweep.run({"method": name}, skill=0.5)
    report = build([sweep.folder], tmp_path / "out")
    words, markdown = texts(report)
    assert "no difference beyond noise." in words
    assert "**no difference beyond noise.**" in markdown
    assert "no run is measurably better than the baseline on quality, latency or size" in markdown
    assert "▲" not in "".join(mark for name in report.frame.names for mark in marks(report, name).values())


def test_what_several_runs_have_in_common_is_one_line_with_a_count(new_sweep, tmp_path):
    """Segments that fall in many runs were half of the first page."""
    sweep = new_sweep()
    for name in ("base", "sft", "dpo", "kto"):
        sweep.run({} if name == "base" else {"method": name}, baseline=name == "base")
    frame = make_frame(load_records([sweep.folder]))
    for row in frame.rows[1:]:
        row.metrics["a/b", ""] = Metric(
            "a/b", math.nan, "", "higher", -1, 1, 9, "", f"not decided by {row.label}"
        )
    notes = [words_of(note.head) for note in notes_of(frame, compare_all(frame))]
    assert "3 metrics have no value for a known reason." in notes
    assert not any("not decided" in text for text in notes)


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
    assert "One model, **tiny**: " in text
    assert "There is nothing to compare it with" in text
    assert "smaller" not in text.partition("## Results")[0]


def test_times_of_two_sessions_are_shown_and_not_compared(evaluated):
    report = evaluated("/a/base", "/b/slow")
    text = report.markdown.read_text()
    assert "Times were measured in a separate session per model and are not compared" in text
    assert "request, baseline" not in text
    line = next(line for line in text.splitlines() if line.startswith("| slow | latency/request\\_seconds"))
    assert line.endswith("n=20 | \N{EN DASH} |")
