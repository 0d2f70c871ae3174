"""The CSV file."""

import csv
from dataclasses import asdict

from ptx.records import Metric
from ptx.report import build


def test_csv_holds_every_metric_of_every_record_unrounded(demo_report):
    with demo_report.csv.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    wanted = [
        (record.id, evaluator, metric)
        for row in demo_report.frame.rows
        for record in row.records
        for evaluator, metric in record.metrics
    ]
    assert len(lines) == len(wanted)
    for line, (run, evaluator, metric) in zip(lines, wanted, strict=True):
        numbers = {key: float(line[key]) for key in ("value", "low", "high")}
        read = Metric(
            line["metric"],
            **numbers,
            unit=line["unit"],
            better=line["better"],
            n=int(line["n"]),
            segment=line["segment"],
        )
        assert (line["run"], line["evaluator"], asdict(read)) == (run, evaluator, asdict(metric))


def test_varied_settings_are_columns_and_negative_ones_are_numbers(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({"method": "dpo", "method.shift": "-2", "status": "=1+1"}, status="unfinished")
    with build([sweep.folder], tmp_path / "out").csv.open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["method"], line["method.shift"], line["setting status"]) == ("dpo", "-2", "'=1+1")


def test_a_run_without_metrics_is_a_line_of_the_csv(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({"method": "dpo"}, status="unfinished")
    with build([sweep.folder], tmp_path / "out").csv.open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["status"], line["metric"]) == ("unfinished", "")
