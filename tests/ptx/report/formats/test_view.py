"""The tables of a report as plain values."""

import math
import re

from ptx.records import Metric
from ptx.report import build
from ptx.report.formats.view import Cell, View
from ptx.report.table.units import TIMES
from tests.ptx.report.pages import texts


def test_segments_have_a_table_per_dimension(demo_report):
    html, markdown = texts(demo_report)
    for dimension in ("skill", "language", "difficulty"):
        assert f"<h3>By {dimension}</h3>" in html
        assert f"### By {dimension}" in markdown
    assert re.search(r'class="num h-?[123]"', html)


def test_infinite_bounds_and_missing_values_are_drawn_and_written(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run(
        {}, baseline=True, extra=[Metric("alone/score", 0.5, "fraction", "higher", -math.inf, math.inf, 1)]
    )
    for text in texts(build([sweep.folder], tmp_path / "out")):
        assert "0.500 [no interval] n=1" in text


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
