"""Sizes, ages and tables as people write and read them."""

from __future__ import annotations

import pytest

from ptx.cli.human import age_text, numbers_text, parse_age, parse_size, print_table, size_text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("10GB", 1e10), ("1.5 kib", 1536), ("500", 500), ("2TB", 2e12)],
    ids=["GB", "kib", "bytes", "TB"],
)
def test_sizes_are_read_as_people_write_them(text, wanted):
    assert parse_size(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"), [("30d", 2592000), ("12h", 43200), ("90min", 5400), ("2w", 1209600)]
)
def test_ages_are_read_as_people_write_them(text, wanted):
    assert parse_age(text) == wanted


def test_a_wrong_age_is_refused_with_an_example(ptx):
    code, _, err = ptx("store", "gc", "--older-than", "3x")
    assert code == 2
    assert "'3x' is not an age such as 30d, 12h or 90min" in err


def test_ages_and_sizes_are_written_in_the_largest_fitting_unit():
    assert [age_text(seconds) for seconds in (5, 100, 7300, 2.6e5)] == ["5 s", "100 s", "2 h", "3 d"]
    assert [size_text(size) for size in (144, 1.5e6, 2e9)] == ["144 B", "1.50 MB", "2.00 GB"]


def test_a_table_is_aligned_and_no_row_is_broken_however_long_it_is(capsys):
    print_table(["key", "size"], [["a" * 200, "1 B"], ["語", "20 MB"]])
    head, long, wide = capsys.readouterr().out.splitlines()
    assert head == "key" + " " * 199 + "size"
    assert long == "a" * 200 + "  1 B"
    assert wide == "語" + " " * 200 + "20 MB"  # a wide character takes two columns


def test_a_count_is_no_power_of_ten():
    logged = {"rows_out": 10560.0, "loss": 0.69314, "learning_rate": 2e-6, "eta_seconds": 3.0, "what": "x"}
    assert numbers_text(logged) == "rows_out 10,560  loss 0.6931  learning_rate 2e-06"
    assert numbers_text(None) == ""
