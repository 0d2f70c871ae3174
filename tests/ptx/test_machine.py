"""Memory that is handed back."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
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


PACKING = """
import numpy as np
from ptx.machine import freed_at_once, resident_bytes
np.ones(31 << 18, np.float32)  # glibc keeps blocks of this size from now on
large = [np.ones(7_800_000, np.float32) for _ in range(16)]
before, small = resident_bytes(), []
with freed_at_once():
    for place in range(16):
        rounded = np.rint(large[place] * 2)
        small.append(rounded.astype(np.int8)[:3_900_000].copy())
        large[place] = rounded = None
print(before, resident_bytes(), sum(one.nbytes for one in small))
"""


def test_what_replaces_large_blocks_by_small_ones_ends_with_less_memory():
    done = subprocess.run([sys.executable, "-c", PACKING], capture_output=True, text=True, check=True)
    before, after, small = map(float, done.stdout.split())
    assert before > 500e6
    assert after < before / 3 + small
