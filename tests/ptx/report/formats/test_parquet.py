"""report.parquet: the columns of ``ptx.load_sweep``, each with one type."""

from __future__ import annotations

import pytest
from pyarrow import parquet

import ptx
from ptx.report import build
from tests.ptx.report.hostile import STRINGS, write_hostile


def test_the_columns_and_values_are_those_of_load_sweep(demo, demo_report):
    pytest.importorskip("pandas")
    table, frame = parquet.read_table(demo_report.html.parent / "report.parquet"), ptx.load_sweep(demo)
    assert table.column_names == list(frame.columns)
    assert {"method", "compress", "bench/mean", "bench/mean low", "standing", "dominated by"} <= set(
        frame.columns
    )
    for name in ("label", "method", "bench/mean", "size/bytes_on_disk n"):
        column = frame[name].astype(object)
        assert table[name].to_pylist() == column.where(column.notna(), None).tolist()


def test_a_setting_of_numbers_is_a_column_of_numbers_and_a_mixed_one_is_text(new_sweep, tmp_path):
    sweep = new_sweep()
    for rate, rank in (("1e-4", "8"), ("0.002", "none"), ("-3", "1e30")):
        sweep.run({"method.rate": rate, "run": rank}, status="unfinished")
    build([sweep.folder], tmp_path / "out")
    table = parquet.read_table(tmp_path / "out" / "report.parquet")
    assert table["method.rate"].to_pylist() == [1e-4, 0.002, -3.0]
    assert table["setting run"].to_pylist()[:2] == ["8", "none"]
    assert len(set(table["run"].to_pylist())) == 3


def test_hostile_texts_and_folders_of_this_machine_make_a_file_that_can_be_read(tmp_path):
    strings = [*STRINGS[:12], "\ud800 half", str(tmp_path / "ptx-out" / "secret")]
    write_hostile(tmp_path / "s", strings)
    build([tmp_path / "s"], tmp_path / "out")
    table = parquet.read_table(tmp_path / "out" / "report.parquet")
    assert table.num_rows == len(strings) + 1
    assert str(tmp_path) not in str(table.to_pydict())
