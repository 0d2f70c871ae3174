"""Rows: seeds grouped, other settings apart."""

import pytest

from ptx.report import build
from tests.ptx.report.pages import data_of, labels, texts


def test_runs_that_differ_only_in_their_seed_are_one_row(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, baseline=True)
    for seed in range(3):
        sweep.run({"method": "sft", "seed": str(seed)}, skill=0.7, seed=seed)
    sweep.run({"method": "dpo", "seed": "0"}, skill=0.5)
    report = build([sweep.folder], tmp_path / "out")
    assert labels(report) == ["baseline", "sft", "dpo"]
    assert len(report.records) == 5
    row = report.frame.rows[1]
    values = [
        metric.value for record in row.records for _, metric in record.metrics if metric.name == "bench/mean"
    ]
    assert row.metric("bench/mean").value == pytest.approx(sum(values) / 3)
    _, markdown = texts(report)
    assert data_of(report)["rows"]["seeds"] == {"1": [3, 3]}
    assert "3 of 3 seeds" in markdown


def test_a_seed_that_failed_is_counted_and_shown(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, baseline=True)
    sweep.run({"method": "sft", "seed": "0"}, skill=0.7)
    sweep.run({"method": "sft", "seed": "1"}, seed=1, status="failed")
    report = build([sweep.folder], tmp_path / "out")
    html, _ = texts(report)
    assert data_of(report)["rows"]["seeds"] == {"1": [1, 2]}
    assert "1 run without results: 1 failed." in html


def test_runs_with_other_settings_are_not_taken_for_seeds(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({"method": "sft", "method.beta": "0.1"})
    sweep.run({"method": "sft", "method.beta": "0.2"})
    assert len(build([sweep.folder], tmp_path / "out").frame.rows) == 2


def test_the_same_run_in_two_sweeps_counts_once(new_sweep, tmp_path):
    first, second = new_sweep(name="monday"), new_sweep(name="tuesday")
    for sweep in (first, second):
        sweep.run({"method": "sft"}, skill=0.6)
    report = build([first.folder, second.folder], tmp_path / "out")
    assert len(report.frame.rows) == 1
    assert data_of(report)["lineage"]["0"]["repeats"] == ["monday/sft"]


def test_a_model_measured_in_turns_with_a_declared_runtime_is_compared(evaluated):
    """``ptx eval model=A runtime=onnx baseline_runtime=hf`` runs no step but compares two runtimes."""
    text = evaluated(
        "/a/base", "/b/slow", runtime={"choice": "onnx"}, baseline_runtime={"choice": "hf"}
    ).markdown.read_text()
    assert "latency request, baseline = 1" in text
    assert "Times were measured in a separate session" not in text


def test_a_model_measured_in_turns_with_itself_is_not_compared(evaluated):
    text = evaluated(
        "/a/base", "/b/slow", runtime={"choice": "hf"}, baseline_runtime={"choice": "hf"}
    ).markdown.read_text()
    assert "latency request, baseline = 1" not in text
