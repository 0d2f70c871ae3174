"""Cautions about means: segments that get worse, items without a score, other items."""

from __future__ import annotations

import math

import pytest

from ptx.files import write_json, write_rows
from ptx.records import Metric
from ptx.report import build
from ptx.report.gate import Constraint, Gate, judge, ships
from ptx.report.table.compare import compare_all
from ptx.stats.items import measure, unscored
from tests.ptx.report.runs import write_run

NAME = "quiz/accuracy"
PROSE = "prose/bits_per_byte"


def right(count, of, language, start=0, **more):
    """Rows of one language, the first ``count`` of them right."""
    items = range(start, start + of)
    return [
        {
            "item": f"q{i}",
            "scores": {NAME: float(i < start + count)},
            "segments": {"language": language},
            "output": str(i),
            **more,
        }
        for i in items
    ]


@pytest.fixture
def report_of(tmp_path):
    """``report_of(baseline rows, rows)``: the Markdown of a report on a baseline and one run."""

    def make(base, ours, prose=((), ())):
        for ident, rows, lines in (("baseline", base, prose[0]), ("sft", ours, prose[1])):
            folder = tmp_path / "sweep" / ident
            (folder / "evaluations").mkdir(parents=True)
            write_rows(folder / "evaluations" / "quiz.jsonl", rows)
            write_rows(folder / "evaluations" / "prose.jsonl", lines)
            metrics = [*measure(NAME, "fraction", "higher", rows), *unscored("quiz", rows)]
            read = measure(PROSE, "bits/byte", "lower", lines) if lines else []
            run = {"id": ident, "label": ident, "sweep": "s", "baseline": ident == "baseline", "seed": 0}
            run |= {
                "varied": {} if ident == "baseline" else {"method": ident},
                "config": {"method": ident},
                "model": {"name": "m", "digest": "d"},
            }
            write_json(folder / "run.json", run)
            result = {
                "status": "done",
                "steps": [],
                "evaluations": [{"name": "quiz"}, {"name": "prose"}],
                "error": None,
                "seconds": 1.0,
            }
            written = [vars(metric) | {"evaluator": "quiz"} for metric in metrics] + [
                vars(metric) | {"evaluator": "prose"} for metric in read
            ]
            write_json(folder / "result.json", result | {"metrics": written})
        write_json(tmp_path / "sweep" / "sweep.json", {"name": "s", "runs": ["baseline", "sft"], "axes": {}})
        return build([tmp_path / "sweep"], tmp_path / "report").markdown.read_text()

    return make


def test_a_segment_that_falls_while_the_mean_rises_is_named(report_of):
    base = right(100, 200, "en") + right(40, 50, "de", start=200)
    text = report_of(base, right(170, 200, "en") + right(15, 50, "de", start=200))
    assert (
        "Worse in some segments: **sft** improves on quiz accuracy overall compared with the baseline, but is"
        " measurably worse on language=de" in text
    )
    assert "language=en (" not in text


def test_a_segment_that_falls_with_the_mean_is_not_reported(report_of):
    base = right(100, 200, "en") + right(40, 50, "de", start=200)
    assert "Worse in some segments" not in report_of(
        base, right(60, 200, "en") + right(15, 50, "de", start=200)
    )


def test_a_segment_of_another_evaluator_is_not_reported_because_the_headline_rises(report_of):
    """Text that is predicted worse overall is reported as such, and not again for each of its segments."""
    quiz = right(100, 200, "en"), right(170, 200, "en")
    texts = [
        [
            {
                "item": f"t{i}",
                "scores": {PROSE: 1 + i / 10 + worse * (1 + i % 3)},
                "segments": {"domain": "chat"},
            }
            for i in range(40)
        ]
        for worse in (0.0, 0.1)
    ]
    text = report_of(*quiz, texts)
    assert "Worse in some segments" not in text


def test_one_of_many_segments_may_fall_by_chance(report_of):
    """5 of 20 lost: alone p = .06, and with nine more segments nothing at all."""
    base = [row for s in range(10) for row in right(15, 20, f"l{s}", start=20 * s)]
    ours = [row for s in range(10) for row in right(10 if s == 0 else 17, 20, f"l{s}", start=20 * s)]
    assert "Worse in some segments" not in report_of(base, ours)


def test_items_without_a_score_are_counted_and_bounded(report_of):
    base = right(60, 100, "en")
    ours = right(60, 90, "en") + [
        {"item": f"q{i}", "scores": {NAME: None}, "segments": {"language": "en"}, "status": "unparsable"}
        for i in range(90, 100)
    ]
    text = report_of(base, ours)
    assert (
        "**sft**: 10 unparsable of 100 items of quiz have no score; depending on their scores, quiz accuracy"
        " is between 0.600 and 0.700." in text
    )
    assert "quiz/unscored" in text


def test_models_measured_on_other_items_are_not_compared(report_of):
    text = report_of(right(60, 100, "en"), right(60, 90, "en"))
    assert (
        "**sft** is not compared with the baseline on quiz accuracy: 10 of 100 items are missing in sft (q90,"
        " q91, q92, ...)." in text
    )
    assert "No run can be compared with a baseline" in text


def test_three_clusters_of_ten_are_not_thirty_items(report_of):
    rows = [
        [{**row, "cluster": i // 10} for i, row in enumerate(right(count, 100, "en"))] for count in (40, 70)
    ]
    assert "no difference beyond noise" in report_of(*rows)


def test_thirty_items_of_a_hundred_are_a_difference(report_of):
    assert "1 better" in report_of(right(40, 100, "en"), right(70, 100, "en"))


def test_times_of_two_machines_share_no_column_and_no_comparison(new_sweep):
    sweep = new_sweep()
    sweep.run({}, skill=0.42, baseline=True)
    sweep.run({"method": "sft"}, skill=0.6)
    sweep.run({"method": "dpo"}, skill=0.5, host={"cpu": "Another CPU", "cores": 4, "gpu": []})
    made = build([sweep.folder], sweep.folder / "report")
    text, name = made.markdown.read_text(), "latency/request_seconds"
    there = f"{name} @ Another CPU, 4 cores"
    sft, dpo = (next(row for row in made.frame.rows if row.label == label) for label in ("sft", "dpo"))
    assert sft.metric(name)
    assert not dpo.metric(name)
    assert dpo.metric(there)
    assert dpo.metric("size/bytes_on_disk")  # of no machine
    assert "**2 machines**; times and memory measured on Another CPU, 4 cores have their own columns" in text
    comparisons = compare_all(made.frame)
    assert (sft.number, name, "") in comparisons
    assert (dpo.number, there, "") not in comparisons


def test_a_segment_of_a_few_items_claims_nothing(report_of):
    """One item per segment, all lost: as many as anybody likes say nothing by themselves."""
    base = right(100, 200, "en") + [row for n in range(30) for row in right(1, 1, f"l{n}", start=200 + n)]
    ours = right(190, 200, "en") + [row for n in range(30) for row in right(0, 1, f"l{n}", start=200 + n)]
    assert "Worse in some segments" not in report_of(base, ours)


def test_five_items_are_too_few_to_say_and_are_no_loss_of_quality(report_of):
    text = report_of(right(5, 5, "en"), right(0, 5, "en"))
    assert "too few items to say (6 are the least)" in text
    assert "not measurably different" not in text
    assert "**no difference beyond noise.**" not in text


def test_a_metric_that_is_not_decided_says_why_and_is_never_zero(tmp_path):
    for ident in ("baseline", "sft"):
        rows = right(60, 100, "en")
        note = "not decided: one gives 0.1 and two 0.9" if ident == "sft" else ""
        rate = Metric("safety/rate", math.nan if note else 0.3, "fraction", "lower", 0.2, 0.4, 50, note=note)
        run = {"baseline": ident == "baseline"}
        metrics = [*measure(NAME, "fraction", "higher", rows), rate]
        write_run(tmp_path / "sweep" / ident, "quiz", rows, metrics, **run)
    made = build([tmp_path / "sweep"], tmp_path / "report")
    text = made.markdown.read_text()
    assert "**sft**: safety rate is not decided: one gives 0.1 and two 0.9." in text
    row = next(row for row in made.frame.rows if not row.baseline)
    gate = Gate("g", {"safe": Constraint("safety/rate", at_most=0.5)})
    (finding,) = judge(gate, row)
    assert (finding.verdict, finding.note) == ("undecided", "not decided: one gives 0.1 and two 0.9")
    assert not ships([finding])
