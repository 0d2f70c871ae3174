"""Pages of many runs: linear work, a bounded page, and every row in the files."""

from __future__ import annotations

import time

from benchmarks.report_scale import write_runs
from ptx.report import build, load_records, make_frame
from ptx.report.table import pairing
from ptx.report.table.compare import compare_all
from ptx.report.table.shown import rows_left_out, shown_rows
from tests.ptx.report.pages import column


def test_few_rows_are_all_shown(demo_report):
    assert shown_rows(demo_report.frame) == demo_report.frame.rows
    assert rows_left_out(demo_report.frame, demo_report.frame.rows) == ""


def test_of_many_rows_the_baseline_the_front_and_the_best_are_shown(tmp_path):
    frame = make_frame(load_records([write_runs(tmp_path, 300, 3)]))
    rows = shown_rows(frame, 50)
    assert len(rows) == 50
    assert rows[0].baseline
    best = max(frame.rows, key=lambda row: row.metric("bench/mean").value)
    assert best in rows
    assert rows == sorted(rows, key=lambda row: row.number)
    assert "50 of 300 rows are shown" in rows_left_out(frame, rows)


def test_a_report_of_many_runs_is_bounded_and_its_table_is_whole(tmp_path):
    start = time.process_time()
    report = build([write_runs(tmp_path, 400, 6)], tmp_path / "out")
    assert time.process_time() - start < 6
    assert len(column(report, "bench/mean")) == 400
    assert report.html.stat().st_size < 2_000_000
    assert report.markdown.stat().st_size < 60_000
    assert report.csv.read_text(encoding="utf-8").count("\n") == 1 + 400 * 6


def test_pairs_are_computed_once_per_row_and_metric(tmp_path, monkeypatch):
    made = []
    real = pairing.index_scores
    monkeypatch.setattr("ptx.report.table.records.index_scores", lambda rows: made.append(1) or real(rows))
    frame = make_frame(load_records([write_runs(tmp_path, 13, 5, items=20)]))
    compare_all(frame)
    once = len(made)
    compare_all(frame)
    assert len(made) == once <= 13 * 4  # two evaluators, and what was measured beside the baseline
