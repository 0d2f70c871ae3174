"""The table of runs: settings and metrics as columns."""

from __future__ import annotations

import json
import math

import pytest

import ptx
from ptx.report.formats.tables import render_json, run_table


def test_varied_settings_and_metrics_are_columns(demo_report):
    (line,) = [one for one in run_table(demo_report.frame) if one["label"] == "sft · gptq"]
    assert (line["method"], line["compress"]) == ("sft", "[gptq]")
    metric = next(row for row in demo_report.frame.rows if row.label == "sft · gptq").metric("bench/mean")
    names = ("bench/mean", "bench/mean low", "bench/mean high", "bench/mean n")
    assert [line[name] for name in names] == [metric.value, metric.low, metric.high, metric.n]


def test_the_file_is_the_table_and_names_dominators(demo_report):
    whole = json.loads((demo_report.html.parent / "report.json").read_text(encoding="utf-8"))
    lines = whole["runs"]
    assert whole["decision"]["sentence"].startswith(f"Ship {whole['decision']['ship']}: ")
    assert len(lines) == 13
    dominated = [line for line in lines if line["standing"] == "dominated"]
    assert dominated
    assert {line["dominated by"] for line in dominated} <= {line["label"] for line in lines}


def test_numbers_that_json_lacks_are_null():
    made = json.loads(render_json({}, [{"a": math.nan, "b": -math.inf, "c": 1.5}]))
    assert made["runs"] == [{"a": None, "b": None, "c": 1.5}]


def test_a_sweep_becomes_a_data_frame(demo):
    pytest.importorskip("pandas")
    table = ptx.load_sweep(demo)
    assert len(table) == 13
    assert table.loc[table["method"] == "sft", "bench/mean"].notna().all()
    assert table["size/bytes_on_disk"].max() == 9_830_400
