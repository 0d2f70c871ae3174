"""Verdicts on recorded calls: those of BFCL's ast_checker (release of March 2026), lapses included.

Beside these cases, 39,576 mutated answers to all of BFCL's Python categories were judged by both when this
was written; no verdict differed.
"""

import pytest

from ptx.models.call_ways import Call
from ptx_tools.match import Expected, argument_fault, arguments_of, parameters_of, plain, verdict
from tests.plugins.ptx_tools.conftest import AREA, BOOK

TOOLS = [AREA, BOOK]
ONE = [Expected("geometry.area", {"base": [10], "height": [5], "unit": ["cm", ""]})]
SEATS = [
    Expected(
        "book", {"seats": [["A1", "A2"]], "guest": [{"name": ["Ann"], "age": [7, ""]}, ""], "day": ["1", ""]}
    )
]
EXTRAS = [Expected("book", {"seats": [["A1"]], "extras": [[{"kind": ["tea"]}, {"kind": ["milk", "oat"]}]]})]
VARIABLE = [Expected("geometry.area", {"base": ["width"], "height": [5]})]
FREE = [Expected("book", {"seats": [[], ""], "day": [5, ""]})]


def area(**arguments):
    return Call("geometry.area", arguments)


def book(**arguments):
    return Call("book", arguments)


@pytest.mark.parametrize(
    ("calls", "expected", "right"),
    [
        ([area(base=10, height=5)], ONE, True),
        (
            [area(base=10, height=5.0, unit="C.M")],
            ONE,
            True,
        ),  # a lapse: case, spaces and ,./-_*^ do not count
        ([area(base=10, height=5, unit="mm")], ONE, False),
        ([area(base=10.0, height=5)], ONE, False),  # a float is no integer, an integer is a float
        ([area(base="10", height=5)], ONE, False),
        ([area(base=10)], ONE, False),
        ([area(base=10, height=5, colour="red")], ONE, False),
        ([Call("area", {"base": 10, "height": 5})], ONE, False),
        ([], ONE, False),
        ([area(base=10, height=5)] * 2, ONE, False),
        ([area(base="width", height=5)], VARIABLE, True),  # the name of a variable, compared exactly
        ([area(base="Width", height=5)], VARIABLE, False),
        ([book(seats=["a1", "A 2"])], SEATS, True),
        ([book(seats=["A2", "A1"])], SEATS, False),  # lists have an order
        ([book(seats=("A1", "A2"))], SEATS, False),  # a tuple is no list, but for the type tuple
        ([book(seats=["A1", "A2"], guest={"name": "ann"})], SEATS, True),
        ([book(seats=["A1", "A2"], guest={"name": "Ann", "age": 8})], SEATS, False),
        ([book(seats=["A1", "A2"], guest={"age": 7})], SEATS, False),
        ([book(seats=["A1", "A2"], guest={"name": "Ann", "age": 7, "x": 1})], SEATS, False),
        ([book(seats=["A1"], extras=[{"kind": "tea"}, {"kind": "Oat"}])], EXTRAS, True),
        ([book(seats=["A1"], extras=[{"kind": "milk"}, {"kind": "tea"}])], EXTRAS, False),
        ([book(seats=["A1"], extras=[{"kind": "tea"}])], EXTRAS, False),
        ([book(seats=["A1"])], EXTRAS, False),  # extras may not be left out
        ([book(seats=[], day=5)], FREE, True),  # "any" with a number among the accepted values
        ([book(seats=[], day="5")], FREE, False),
    ],
)
def test_a_verdict_is_that_of_the_published_checker(calls, expected, right):
    assert (verdict(calls, expected, TOOLS) == "") is right


def test_parallel_calls_are_right_in_any_order_and_none_counts_twice():
    two = [Expected("geometry.area", {"base": [n], "height": [1]}) for n in (1, 2)]
    first, second = area(base=1, height=1), area(base=2, height=1)
    assert verdict([second, first], two, TOOLS) == ""
    assert verdict([first, first], two, TOOLS) != ""


def test_a_fault_is_said():
    assert verdict([area(base=10, height=6)], ONE, TOOLS) == "geometry.area: height=6 is not among [5]"
    assert "base is missing" in verdict([area(height=5)], ONE, TOOLS)
    assert verdict([], ONE, TOOLS) == "0 calls instead of 1"


def test_arguments_are_judged_one_by_one():
    call, wanted = area(base=10, height=6, colour="red"), ONE[0]
    parameters = parameters_of("geometry.area", TOOLS)
    faults = {name: argument_fault(name, call, wanted, parameters) for name in arguments_of(call, wanted)}
    assert {name: not fault for name, fault in faults.items()} == {
        "base": True,
        "height": False,
        "colour": False,
    }


def test_what_a_text_loses_before_it_is_compared():
    assert plain("April 1, 2024") == plain("april 1,2024")
    assert plain("-1.5") == "15"  # the lapse that the docs name
