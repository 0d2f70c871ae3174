"""Records broken in sixty ways: each is reported, with file and field, and none ends a report."""

from __future__ import annotations

import json
import math
import shutil

import pytest

from ptx.records import Metric
from ptx.report import build, load_records, make_frame
from ptx.report.table.metric_entry import UnusableError, read_metric
from ptx.report.text.details import problems_of
from ptx.stats.items import measure
from tests.ptx.report.broken import WAYS
from tests.ptx.report.pages import data_of
from tests.ptx.report.runs import exact, write_run, write_sweep


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sweep of three small runs; not to be written to."""
    folder = tmp_path_factory.mktemp("whole") / "demo"
    for name in ("base", "sft", "dpo"):
        rows = [{"item": f"q{i}", "scores": {"bench/mean": float(i % 3 > 0)}} for i in range(12)]
        time = Metric("latency/request_seconds", 0.009, "seconds", "lower", 0.008, 0.01, 20)
        size = Metric("size/bytes_on_disk", 1e6, "bytes", "lower", 1e6, 1e6, 1)
        metrics = [*measure("bench/mean", "fraction", "higher", rows), time, size]
        write_run(folder / name, "bench", rows, metrics, baseline=name == "base")
    return write_sweep(folder, "base", "sft", "dpo")


@pytest.mark.parametrize("way", WAYS)
def test_a_broken_record_is_reported_with_its_field(whole, tmp_path, way):
    change, said = WAYS[way]
    sweep = shutil.copytree(whole, tmp_path / "demo")
    change(sweep, sweep / "sft")
    report = build([tmp_path], tmp_path / "out")
    problems = [text for text, _ in problems_of(report.frame)]
    if said:
        assert any(said in text for text in problems)
        assert any(said in text for text, _, _ in data_of(report)["problems"])
        assert "Problems in the records" in report.markdown.read_text(encoding="utf-8")
    assert len(json.dumps(data_of(report))) < 100_000


def test_a_good_record_has_no_problems(whole):
    assert problems_of(make_frame(load_records([whole]))) == []


def test_milliseconds_become_seconds_as_in_the_other_runs(whole, tmp_path):
    sweep = shutil.copytree(whole, tmp_path / "demo")
    WAYS["milliseconds beside seconds"][0](sweep, sweep / "sft")
    frame = make_frame(load_records([sweep]))
    row = next(row for row in frame.rows if row.label == "sft")
    assert row.metric("latency/request_seconds").value == pytest.approx(0.009)
    assert row.metric("latency/request_seconds").unit == "seconds"


def test_an_exact_value_of_a_stranger_is_read_as_it_is():
    entry = {"name": "a/b", "value": 3, "unit": "points", "better": "lower", "low": 3, "high": 3, "n": 1}
    evaluator, metric, problems = read_metric(entry, "result.json: metrics[0]")
    assert (evaluator, problems) == ("a", [])
    assert metric == Metric("a/b", 3.0, "points", "lower", 3.0, 3.0, 1)
    assert exact("x", 1.0).value == 1.0


def test_a_missing_end_is_an_open_interval():
    _, metric, _ = read_metric({"name": "a", "value": 0.5, "n": 3}, "here")
    assert (metric.low, metric.high) == (-math.inf, math.inf)


def test_the_message_names_place_field_and_value():
    with pytest.raises(UnusableError, match=r"metrics\[4\] \(a/b\): high is 'x', not a number"):
        read_metric({"name": "a/b", "value": 1, "high": "x"}, "result.json: metrics[4]")
