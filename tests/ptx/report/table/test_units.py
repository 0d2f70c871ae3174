"""Numbers as text."""

import pytest

from ptx.report.table.units import SPACE, TIMES, duration, ratio_text, scale_of


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("fraction", 0.7123, "0.712"),
        ("seconds", 0.01234, "12.3 ms"),
        ("seconds", 0.0000123, "12.3 µs"),
        ("s", 3.5, "3.50 s"),
        ("bytes", 1_700_000, "1.70 MB"),
        ("bytes", 2_480, "2.48 kB"),
        ("bytes", 12.0, "12.0 B"),
        ("parameters", 2_457_600, "2.46 M"),
        ("tokens/s", 3820.4, "3,820 tok/s"),
        ("%", 12.5, "12.5 %"),
        ("furlongs", 3.2, "3.20 furlongs"),
        ("nats", -0.25, "\N{MINUS SIGN}0.250 nats"),
    ],
)
def test_values_are_written_with_a_fitting_unit(unit, value, text):
    assert scale_of(unit, [value]).text(value) == text.replace(" ", SPACE)


def test_a_column_has_one_unit_and_enough_decimals_for_its_smallest_value():
    scale = scale_of("bytes", [9_800_000, 1_700_000, 260_000])
    assert [scale.text(value) for value in (9_800_000, 260_000)] == [f"9.80{SPACE}MB", f"0.26{SPACE}MB"]


def test_halves_are_rounded_away_from_zero_as_the_script_of_the_page_does():
    """A page that says 0.312 above and 0.313 below contradicts itself."""
    scale = scale_of("fraction", [0.5])
    assert [scale.number(value) for value in (0.3125, -0.0625, 0.0005, 0.4375)] == [
        "0.313",
        "\N{MINUS SIGN}0.063",
        "0.001",
        "0.438",
    ]
    assert scale.number(0.3125 - 1e-12) == "0.312"
    assert scale.number(1e300).startswith("1,000,000")


def test_a_difference_has_as_many_decimals_as_its_interval_needs():
    scale = scale_of("bits/byte", [1.37])
    assert scale.finer(-0.03, -0.01) == scale
    assert scale.finer(0.001, 0.007).text(0.004, sign=True) == f"+0.004{SPACE}bits/byte"
    assert scale.finer(1e-9, 2e-9).decimals == scale.decimals + 3
    assert scale.finer(0.0, 0.0) == scale.finer(float("-inf"), float("inf")) == scale


def test_a_difference_has_a_sign_and_zero_has_none():
    scale = scale_of("fraction", [0.5])
    assert [scale.number(value, sign=True) for value in (0.1, -0.1, 0.0, -0.00001)] == [
        "+0.100",
        "\N{MINUS SIGN}0.100",
        "0.000",
        "0.000",
    ]


def test_durations_are_written_with_a_fitting_unit():
    assert [duration(seconds) for seconds in (0.84, 42, 200, 7500)] == [
        f"0.8{SPACE}s",
        f"42{SPACE}s",
        f"3{SPACE}min{SPACE}20{SPACE}s",
        f"2{SPACE}h{SPACE}05{SPACE}min",
    ]


def test_ratios_say_in_which_direction():
    assert ratio_text(1.7, 9.8, "smaller", "larger") == f"5.8{TIMES} smaller"
    assert ratio_text(3.0, 2.0, "smaller", "larger") == f"1.50{TIMES} larger"
    assert ratio_text(2.0, 2.0, "smaller", "larger") == ""
    assert ratio_text(0.0, 2.0, "smaller", "larger") == ""
