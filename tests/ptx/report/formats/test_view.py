"""The tables of a report as plain values."""

import math

from ptx.records import Metric
from ptx.report import build
from ptx.report.formats.view import Cell, View
from ptx.report.table.units import TIMES
from tests.ptx.report.pages import column, data_of, texts


def test_segments_have_a_table_per_dimension(demo_report):
    segments, markdown = data_of(demo_report)["segments"], texts(demo_report)[1]
    assert [one["title"] for one in segments] == ["skill", "language", "difficulty"]
    for dimension in ("skill", "language", "difficulty"):
        assert f"### By {dimension}" in markdown
    assert {cell[3] for one in segments for _, cells in one["lines"] for cell in cells} >= {-3, -1, 0, 1}


def test_infinite_bounds_and_missing_values_are_drawn_and_written(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run(
        {}, baseline=True, extra=[Metric("alone/score", 0.5, "fraction", "higher", -math.inf, math.inf, 1)]
    )
    report = build([sweep.folder], tmp_path / "out")
    assert "0.500 [no interval] n=1" in texts(report)[1]
    assert [column(report, "alone/score", end) for end in ("lo", "hi")] == [[-math.inf], [math.inf]]


def test_a_segment_column_names_its_metric_or_task(evaluated):
    head = next(
        line
        for line in evaluated("/somewhere/tiny").markdown.read_text().splitlines()
        if "task\\_0: de" in line
    )
    assert "judge win rate: de" in head
    assert "quiz right: en" in head
    cells = head.split("|")
    assert len(cells) == len(set(cells)) + 1  # the empty ends are alike


def test_the_note_of_a_tie_says_what_could_have_been_found(demo_report):
    view = View(demo_report.frame)
    cells = [view.cell(row, "bench/mean") for row in demo_report.frame.rows]
    ties = [cell for cell in cells if cell.verdict == "same"]
    assert ties
    for cell in ties:
        assert "tied with (no difference beyond noise) baseline" in cell.note
        assert "would be found in 80 % of cases" in cell.note


def test_an_exact_value_shows_its_ratio_to_the_baseline(demo_report):
    view = View(demo_report.frame)
    row = next(row for row in demo_report.frame.rows if row.label == "sft · gptq")
    assert view.cell(row, "size/bytes_on_disk").ratio == f"4.0{TIMES} smaller"
    assert view.cell(row, "latency/request_seconds").ratio == ""  # it has an interval


def test_the_shade_of_a_segment_follows_the_difference(demo_report):
    (skill, *_) = View(demo_report.frame).segments()
    cells = [cell for line in skill.lines for cell in line.cells if cell.gap]
    largest = max(cells, key=lambda cell: abs(cell.gap))
    assert abs(largest.heat) == 3
    assert all(cell.heat * cell.gap >= 0 for cell in cells)


def test_a_metric_that_a_row_lacks_is_an_empty_cell(demo_report):
    assert View(demo_report.frame).cell(demo_report.frame.rows[0], "bench/mean", "skill=nothing") == Cell()
