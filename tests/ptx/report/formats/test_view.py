"""The tables of a report as plain values."""

import math
import re

from ptx.records import Metric
from ptx.report import build
from ptx.report.table.units import MINUS
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
        assert f"0.500 [{MINUS}∞, ∞] n=1" in text


def test_a_segment_column_says_of_what(evaluated):
    head = next(
        line
        for line in evaluated("/somewhere/tiny").markdown.read_text().splitlines()
        if "task\\_0: de" in line
    )
    assert "judge win rate: de" in head
    assert "quiz right: en" in head
    cells = head.split("|")
    assert len(cells) == len(set(cells)) + 1  # the empty ends are alike
