"""Facts about the machine, and memory that returns to the system."""

from __future__ import annotations

import gc
import math
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from ptx import machine


class Network:
    def __init__(self):
        self.forward = self.__init__  # refers to itself, as networks do that libraries patch


@pytest.fixture
def dropped():
    """A reference to a network that nothing uses any more, and that only the collector finds."""
    gc.disable()
    try:
        yield weakref.ref(Network())
    finally:
        gc.enable()


def test_a_network_that_refers_to_itself_is_collected_where_the_process_is_large(dropped, monkeypatch):
    monkeypatch.setattr(machine, "WORTH_RELEASING", 0)
    assert dropped() is not None
    machine.release_memory()
    assert dropped() is None


def test_a_small_process_is_not_searched_for_garbage(dropped, monkeypatch):
    monkeypatch.setattr(machine, "WORTH_RELEASING", math.inf)
    machine.release_memory()
    assert dropped() is not None


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


def test_work_that_replaces_large_blocks_by_small_ones_ends_with_less_memory():
    done = subprocess.run([sys.executable, "-c", PACKING], capture_output=True, text=True, check=True)
    before, after, small = map(float, done.stdout.split())
    assert before > 500e6
    assert after < before / 3 + small


@pytest.fixture
def no_cache():
    """``gpus()`` asks the driver anew."""
    machine.gpus.cache_clear()
    yield
    machine.gpus.cache_clear()


def test_a_named_device_is_kept_and_auto_needs_a_gpu_and_a_torch_that_can_use_it(monkeypatch):
    monkeypatch.setattr(machine, "gpus", lambda: ("a GPU",))
    monkeypatch.setattr(machine, "installed_version", lambda _: "2.9.0+cu128")
    assert machine.resolve_device("auto") == "cuda"
    assert machine.resolve_device("cpu") == "cpu"
    monkeypatch.setattr(machine, "installed_version", lambda _: "2.9.0+cpu")
    assert machine.resolve_device("auto") == "cpu"
    monkeypatch.setattr(machine, "gpus", tuple)
    assert machine.resolve_device("auto") == "cpu"
    assert machine.resolve_device("cuda") == "cuda"


def test_no_gpu_is_visible_where_the_environment_hides_all(monkeypatch, no_cache):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.gpus() == ()
    assert machine.visible_gpus() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-abc")
    assert machine.visible_gpus() == ["2", "GPU-abc"]


def test_gpus_are_numbered_where_the_environment_names_none(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "gpus", lambda: ("a", "b"))
    assert machine.visible_gpus() == ["0", "1"]


def test_free_memory_is_what_the_control_group_leaves(tmp_path, monkeypatch):
    files = {
        "memory.max": "1000000000\n",
        "memory.current": "700000000\n",
        "memory.stat": "anon 5\ninactive_file 200000000\n",
    }
    monkeypatch.setattr(
        machine,
        "_lines",
        lambda file: files.get(file.name, "").splitlines() if "cgroup/" in str(file) else [],
    )
    assert min(machine._limits(used=True)) == 500e6
    assert min(machine._limits(used=False)) == 1e9


def test_a_control_group_without_a_limit_leaves_the_memory_of_the_machine(monkeypatch):
    monkeypatch.setattr(machine, "_limits", lambda **_: iter([float("inf")]))
    assert 0 < machine.free_bytes("cpu") <= machine.total_bytes("cpu") < float("inf")


def test_the_memory_of_a_gpu_is_what_its_driver_says(monkeypatch):
    asked = []

    def answer(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="20480\n")

    monkeypatch.setattr(machine, "gpus", lambda: ("a", "b"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setattr(shutil, "which", lambda _: "nvidia-smi")
    monkeypatch.setattr(subprocess, "run", answer)
    assert machine.free_bytes("cuda") == 20 * 2**30
    assert asked[0][1:] == ["--query-gpu=memory.free", "--format=csv,noheader,nounits", "--id=1"]


def test_versions_of_what_is_not_installed_are_left_out():
    assert list(machine.versions(["pluggy", "no-such-distribution"])) == ["pluggy"]


def test_the_facts_of_the_machine_hold_the_hardware_that_timings_depend_on():
    assert machine.hardware().items() <= machine.facts().items()
    assert machine.hardware()["cores"] == os.cpu_count()
    assert machine.cpu_name()


def test_the_peak_of_a_process_counts_its_children():
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1); input()'])"
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout.readline() == "1\n"
    try:
        alone = next(
            float(line.split()[1]) * 1024
            for line in Path(f"/proc/{parent.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        )
        assert machine.peak_bytes(parent.pid) > alone + 1e6
    finally:
        parent.communicate("\n")


def test_garbage_is_searched_for_again_after_a_block_without_and_stays_as_it_was():
    assert gc.isenabled()
    with machine.uncollected():
        assert not gc.isenabled()
        with machine.uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
