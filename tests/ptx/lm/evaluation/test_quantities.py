"""Numbers with units, read exactly."""

from fractions import Fraction

import pytest

from ptx.lm.evaluation.quantities import Quantity, close, numbers_in, quantity


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5", "5", ""),
        ("-5.50", "-5.5", ""),
        (".5", "0.5", ""),
        ("1,234,567.8", "1234567.8", ""),
        ("1 234", "1234", ""),
        ("1.5e3", "1500", ""),
        (r"3\cdot 10^{-2}", "0.03", ""),
        ("3/4", "3/4", ""),
        (r"\frac{-3}{4}", "-3/4", ""),
        (r"1\frac{1}{2}", "3/2", ""),
        (r"-1\frac{1}{2}", "-3/2", ""),
        ("2 3/4", "11/4", ""),
        ("$5.50", "5.5", "$"),
        ("-$5", "-5", "$"),
        ("5 dollars", "5", "$"),
        ("50%", "50", "%"),
        ("50 percent", "50", "%"),
        ("5cm", "5", "cm"),
        ("5 m", "5", "m"),
        (r"5\text{ cm}^2", "5", "cm^2"),
        ("5 square centimeters", "5", "cm^2"),
        ("60 miles per hour", "60", "mph"),
        ("12 apples", "12", "apple"),
        ("90°", "90", "°"),
        ("seven", "7", ""),
    ],
)
def test_a_number_with_its_unit_is_read_whole(text, value, unit):
    assert quantity(text) == Quantity(Fraction(value), unit)


@pytest.mark.parametrize(
    "text",
    ["", "x", "5x", "3t", "5m", "x5", "2^{10}", "5 and 6", "5, 6", "1,2345", "1/0", "5 (6)", "9" * 500,
     "1e9999", "12 apples, not 13", r"\frac{x}{2}", "1.2.3", "5 + 6"],
)  # fmt: skip
def test_what_is_more_or_less_than_a_number_is_none(text):
    assert quantity(text) is None


def test_a_unit_may_be_left_out_and_not_exchanged():
    assert quantity("5 cm").equals(quantity("5"), 0)
    assert quantity("5").equals(quantity("5 cm"), 0)
    assert not quantity("5 m").equals(quantity("5 cm"), 0)


def test_a_percent_sign_may_be_left_out_above_one_and_counts_hundredths():
    assert quantity("50%").equals(quantity("50"), 0)
    assert quantity("0.5").equals(quantity("50%"), 0)
    assert not quantity("0.5%").equals(quantity("0.5"), 0)
    assert not quantity("50%").equals(quantity("50 cm"), 0)


def test_the_tolerance_is_relative_below_one():
    assert close(Fraction("3.1416"), Fraction("3.14159"), 1e-4)
    assert not close(Fraction("2e-8"), Fraction("1e-8"), 1e-6)
    assert close(Fraction(0), Fraction(0), 0)


def test_numbers_in_a_text_come_in_order_without_those_too_long_to_compare():
    assert numbers_in("3 of 4, 1/2, then " + "9" * 200 + " and 7") == [3, 4, Fraction(1, 2), 7]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("12,34,567", 1234567, ""),
        ("1_000_000", 1000000, ""),
        ("3 hours and 20 minutes", 200, "min"),
        ("5 ft 6 in", 66, "in"),
        ("1 dollar and 50 cents", 150, "¢"),
        ("twenty-one", 21, ""),
    ],
)
def test_groups_and_sums_are_one_number(text, value, unit):
    found = quantity(text)
    assert (found.value, found.unit) == (value, unit)


@pytest.mark.parametrize(
    "text",
    ["12,345,67", "1,2,3", "1_0", "20 minutes and 3 hours", "3 hours and 20 cm", "3 hours 20", "5 kg 6"],
)
def test_what_is_no_group_and_no_sum_is_no_number(text):
    assert quantity(text) is None


def test_units_of_one_kind_are_converted_and_a_sum_needs_its_unit():
    assert quantity("2 hours").equals(quantity("120 minutes"), 0)
    assert not quantity("2 hours").equals(quantity("120 cm"), 0)
    assert quantity("1.5 km").equals(quantity("1500 m"), 0)
    assert not quantity("3 hours 20 minutes").equals(quantity("200"), 0)
    assert quantity("2 hours").equals(quantity("2"), 0)
