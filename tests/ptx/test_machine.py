"""Memory that is handed back."""

from __future__ import annotations

import gc
import math
import weakref

import pytest

from ptx import machine


class Network:
    def __init__(self):
        self.forward = self.__init__  # as libraries patch one: it refers to itself


@pytest.fixture
def let_go():
    """A network that nothing uses any more, and that only the collector finds."""
    gc.disable()
    try:
        yield weakref.ref(Network())
    finally:
        gc.enable()


def test_what_refers_to_itself_is_gone_where_memory_is_worth_it(let_go, monkeypatch):
    monkeypatch.setattr(machine, "WORTH_RELEASING", 0)
    assert let_go() is not None
    machine.release_memory()
    assert let_go() is None


def test_a_small_process_is_not_searched(let_go, monkeypatch):
    monkeypatch.setattr(machine, "WORTH_RELEASING", math.inf)
    machine.release_memory()
    assert let_go() is not None


def test_the_resident_memory_is_that_of_this_process():
    assert 1e6 < machine.resident_bytes() < 1e12
