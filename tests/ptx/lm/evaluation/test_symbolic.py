"""Equality of formulas, bounded in time. One process answers for the whole file."""

import threading
import time

import pytest

from ptx.lm.evaluation import symbolic
from ptx.lm.evaluation.symbolic import Asker, equal, equal_formulas


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        ("(x-1)(x+1)", "x^2-1", True),
        ("(x-1)(x-1)", "x^2-1", False),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}", False),
        (r"2\ln 2", r"\ln 4", True),
        ("nonsense {", "x", False),
        ("x\ny", "x", False),
    ],
)
def test_formulas_are_equal_when_they_are_equal_everywhere(given, wanted, expected):
    assert equal_formulas(given, wanted) is expected


@pytest.mark.slow  # the process has to start twice, and each start imports sympy
def test_a_formula_that_would_take_for_ever_is_unequal_in_bounded_time_and_the_next_is_answered(monkeypatch):
    monkeypatch.setattr(symbolic, "PATIENCE", 20.0)
    asker, began = Asker(), time.perf_counter()
    try:
        asker.ask("x", "x")
        ready = time.perf_counter()
        assert not asker.ask("9^{9^{9^{9}}}", "9^{9^{9^{8}}}")
        assert time.perf_counter() - ready < 20 + 5
        assert asker.ask("b+a", "a+b")
    finally:
        asker.stop()
    assert time.perf_counter() - began < 120


def test_threads_take_turns():
    found = {}

    def ask(place):
        found[place] = equal_formulas(f"{place}x + 1", f"1 + {place}x")

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(2, 6), True)


@pytest.mark.slow  # as above
def test_a_process_that_has_ended_is_started_again():
    asker = Asker()
    try:
        assert asker.ask("b+a", "a+b")
        asker.process.kill()
        asker.process.wait()
        asker.ask("b+a", "a+b")
        assert asker.ask("b+a", "a+b")
    finally:
        asker.stop()


@pytest.mark.slow  # sympy is imported here too
def test_the_process_itself_answers_by_math_verify():
    assert equal("b+a", "a+b")
    assert not equal("b+a", "a-b")


def test_a_busy_machine_is_not_taken_for_a_missing_library(monkeypatch):
    monkeypatch.setattr(symbolic, "STARTING", 0.0)
    asker = Asker()
    with pytest.raises(RuntimeError, match="not ready within 0 s; the machine is too busy"):
        asker.ask("x", "x")
    assert asker.process is None
