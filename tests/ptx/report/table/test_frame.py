"""The frame: its rows and the columns of the main table."""

import pytest

from ptx.records import Metric
from ptx.report import build, make_frame
from ptx.report.table.records import Record
from ptx.report.table.units import SPACE
from tests.ptx.report.pages import column, labels, texts


def test_thirteen_runs_are_thirteen_rows_with_the_baseline_first(demo_report):
    assert labels(demo_report)[:4] == ["baseline", "sft", "sft · sparsegpt", "sft · gptq"]
    assert len(demo_report.records) == len(demo_report.frame.rows) == 13


def test_quality_latency_and_size_are_columns_of_the_main_table(demo_report):
    assert demo_report.frame.headline == "bench/mean"
    assert demo_report.frame.columns == [
        "bench/mean",
        "bench/tiny_answers/exact_match",
        "bench/tiny_choices/exact_match",
        "latency/request_seconds",
        "latency/p95_seconds",
        "latency/decode_tokens_per_second",
        "size/bytes_on_disk",
        "latency/peak_memory_bytes",
    ]


def test_metrics_of_unknown_evaluators_are_columns_too(new_sweep, tmp_path):
    sweep = new_sweep()
    extra = [
        Metric("judge/win_rate", 0.61, "fraction", "higher", 0.55, 0.67, 200),
        Metric("odd", 3.2, "furlongs", "lower", 3.1, 3.3, 4),
    ]
    sweep.run({"method": "sft"}, extra=extra)
    report = build([sweep.folder], tmp_path / "out")
    assert {"judge/win_rate", "odd"} <= set(report.frame.columns)
    text = texts(report)[1]
    assert "0.610 [0.550, 0.670] n=200" in text
    assert "3.20 furlongs [3.10, 3.30] n=4" in text.replace(SPACE, " ")
    assert column(report, "odd") == [3.2]


def test_every_evaluator_has_a_column_even_if_one_has_many_tasks(evaluated):
    frame = evaluated("/somewhere/tiny").frame
    assert {"judge/win_rate", "quiz/right", "quiz/wrong"} <= set(frame.columns)
    assert sum(name.startswith("bench/") for name in frame.columns) == 7


@pytest.mark.parametrize(
    ("metrics", "headline"),
    [
        ([("odd/loss", "", "lower"), ("quiz/right", "", "higher")], "quiz/right"),
        (
            [("quiz/right", "", "higher"), ("other/mean", "", "higher"), ("bench/mean", "", "higher")],
            "bench/mean",
        ),
        ([("judge/agreement", "kappa", "higher"), ("odd/loss", "", "lower")], "odd/loss"),
        ([("latency/p95_seconds", "seconds", "lower")], None),
    ],
)
def test_the_headline_is_a_quality_metric_of_the_model(tmp_path, metrics, headline):
    made = [("e", Metric(name, 0.5, unit, better, 0.4, 0.6, 9)) for name, unit, better in metrics]
    frame = make_frame([Record(tmp_path, "done", run={"id": "a"}, metrics=made)])
    assert frame.headline == headline


def test_segments_are_grouped_by_dimension(demo_report):
    assert demo_report.frame.segments() == {
        "skill": ["addition", "capitals", "largest", "reverse", "subtraction"],
        "language": ["de", "en", "fr"],
        "difficulty": ["easy", "hard"],
    }
