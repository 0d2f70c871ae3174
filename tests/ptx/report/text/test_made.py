"""The table of datasets that steps have made."""

from __future__ import annotations

from types import SimpleNamespace

from ptx.report.text.made import made_of


def row(label, *steps):
    return SimpleNamespace(label=label, records=[SimpleNamespace(result={"steps": list(steps)})])


def made(key, **metrics):
    return {"kind": "make", "name": f"pairs_{key}", "key": key, "metrics": metrics}


def test_a_dataset_stands_once_with_the_rows_that_use_it():
    first = made("1", rows_in=24.0, rows_out=10.0, acceptance=10 / 24, mean_score=0.15625, eta_seconds=3.0)
    second = made("2", rows_in=1234.0, rows_out=8.0, unscored=2.0)
    train = {"kind": "train", "name": "dpo", "key": "3", "metrics": {"loss": 1.0}}
    found = made_of(SimpleNamespace(rows=[row("a", first, train), row("b", first, second)]))
    assert found.heads == ["rows in", "rows out", "acceptance", "mean score", "unscored"]
    assert found.lines == [
        ("pairs_1", ["24", "10", "41.7%", "0.1562", ""], ["a", "b"]),
        ("pairs_2", ["1,234", "8", "", "", "2"], ["b"]),
    ]


def test_a_report_without_made_data_has_no_such_table():
    assert made_of(SimpleNamespace(rows=[row("a")])).lines == []
