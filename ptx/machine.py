"""What this machine is, found without an ML library: for records, for keys of timings, for
``device=auto``.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

WORTH_RELEASING = 1.5e9  # bytes; the libraries alone take half of that
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt


@functools.cache
def gpus() -> tuple[str, ...]:
    """Names of the visible NVIDIA GPUs; empty when there is none or the driver does not answer."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "" or not shutil.which("nvidia-smi"):
        return ()
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True
    )
    return (
        tuple(line.strip() for line in done.stdout.splitlines() if line.strip())
        if done.returncode == 0
        else ()
    )


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may name: the given list, else all by number."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (
        [name for name in given.split(",") if name]
        if given is not None
        else [str(number) for number in range(len(gpus()))]
    )


def resolve_device(asked: str) -> str:
    """``auto`` is cuda where there is a GPU and a torch that can use it."""
    if asked != "auto":
        return asked
    return "cuda" if gpus() and not versions(["torch"]).get("torch", "").endswith("+cpu") else "cpu"


@functools.cache
def cpu_name() -> str:
    """The processor's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def hardware() -> dict[str, Any]:
    """What a timing depends on."""
    return {"cpu": cpu_name(), "cores": os.cpu_count(), "gpu": list(gpus())}


def facts() -> dict[str, Any]:
    """For run.json."""
    return {
        "name": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **hardware(),
    }


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Installed versions; what is not installed is left out."""
    found = {}
    for name in sorted(set(distributions)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def release_memory() -> None:
    """Hand memory that nothing uses back to the system: a model that has just been let go, before the next
    one is loaded.

    Networks that libraries have patched refer to themselves and wait for the collector, which takes a quarter
    of a second among the objects of all libraries: not before memory is worth it. torch keeps what was freed
    on a GPU.
    """
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_available()
    if not on_gpu and resident_bytes() < WORTH_RELEASING:
        return
    gc.collect()
    if torch is not None and on_gpu:
        torch.cuda.empty_cache()
    trim_heap()


def resident_bytes() -> float:
    """Memory that this process holds now; infinite where /proc does not tell."""
    try:
        return float(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return math.inf


def peak_bytes(process: int) -> float:
    """The most memory that a process and those it has started have held, in bytes; what they share counts for
    each. Linux only.
    """
    children: dict[int, list[int]] = {}
    peaks: dict[int, float] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):  # it has ended meanwhile
            told = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            children.setdefault(int(told["PPid"]), []).append(int(told["Pid"]))
            peaks[int(told["Pid"])] = float(told.get("VmHWM", "0").split()[0]) * 1024
    found, waiting = 0.0, [process]
    while waiting:
        one = waiting.pop()
        found += peaks.get(one, 0.0)
        waiting += children.get(one, [])
    return found


def trim_heap() -> None:
    """Hand back what was freed: glibc keeps blocks below 32 MB, such as every layer of a model of a billion
    parameters, and leaves gaps.
    """
    with suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def freed_at_once() -> Iterator[None]:
    """While this is open, blocks of a megabyte and more go back to the system when they are freed, one by
    one.

    For work that replaces every large tensor of a model by a small one: the small ones come to lie in the
    gaps that glibc keeps, and the next large one finds none that is wide enough. Afterwards blocks below 32
    MB are kept again, for speed.
    """
    with suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)
    try:
        yield
    finally:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 32 << 20)
            ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, 64 << 20)
