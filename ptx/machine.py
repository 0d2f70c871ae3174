"""Facts about this machine, and control of its memory, without an ML library.

The facts go into records and into the keys of timings, and they decide ``device=auto``.
"""

from __future__ import annotations

import functools
import gc
import math
import os
import resource
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

WORTH_RELEASING = 1.5e9  # bytes of resident memory; the libraries alone need half of that
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEPT = 1 << 30  # bytes: larger blocks return to the system when they are freed


@functools.cache
def gpus() -> tuple[str, ...]:
    """Names of the visible NVIDIA GPUs; empty when there is none or the driver does not answer."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return ()
    code, told = ask_driver("name") or (1, "")
    return tuple(line.strip() for line in told.splitlines() if line.strip()) if code == 0 else ()


def ask_driver(fields: str, *options: str) -> tuple[int, str] | None:
    """The exit code of nvidia-smi and what it says of each GPU, a line of ``fields``; None without it."""
    if not shutil.which("nvidia-smi"):
        return None
    import subprocess  # late, as it is slow to import

    asked = ["nvidia-smi", f"--query-gpu={fields}", *(options or ["--format=csv,noheader"])]
    done = subprocess.run(asked, capture_output=True, text=True)
    return done.returncode, done.stdout


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for cyclic garbage in the block: imports and rows make much that stays, and no garbage.

    A fifth of the time of ``ptx --help`` went into such searches, and a fourth of that of ``ptx check``.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def visible_gpus() -> list[str]:
    """The GPUs that CUDA_VISIBLE_DEVICES may name: those that it names now, else the numbers of all."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (
        [name for name in given.split(",") if name]
        if given is not None
        else [str(number) for number in range(len(gpus()))]
    )


def resolve_device(asked: str) -> str:
    """The device for ``device=``: ``auto`` becomes cuda where there is a GPU and a torch that can use it."""
    if asked != "auto":
        return asked
    return "cuda" if gpus() and not versions(["torch"]).get("torch", "").endswith("+cpu") else "cpu"


@functools.cache
def cpu_name() -> str:
    """The model name of the processor."""
    import platform

    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@functools.cache
def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for products of bfloat16; without them float32 is faster."""
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(_told_of_cpu("flags", "Features"))


@functools.cache
def mkl_leaves_avx512_unused() -> bool:
    """Whether the processor has AVX-512 and is not Intel's: MKL multiplies with half as wide words there."""
    return "avx512f" in _told_of_cpu("flags") and "GenuineIntel" not in _told_of_cpu("vendor_id")


def _told_of_cpu(*names: str) -> list[str]:
    """The words of a line of /proc/cpuinfo; none where there is no such file."""
    try:
        told = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    return next((line for line in told.splitlines() if line.startswith(names)), "").split()


def hardware() -> dict[str, Any]:
    """The hardware that a timing depends on: processor, cores and GPUs."""
    return {"cpu": cpu_name(), "cores": os.cpu_count(), "gpu": list(gpus())}


def facts() -> dict[str, Any]:
    """The facts of this machine that run.json records."""
    import platform

    return {
        "name": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        **hardware(),
    }


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """The installed versions of distributions; one that is not installed is left out."""
    found = {name: installed_version(name) for name in sorted(set(distributions))}
    return {name: release for name, release in found.items() if release}


@functools.cache
def installed_version(distribution: str) -> str:
    """The version of a distribution, empty if it is not installed. Every step of a plan asks for some."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def free_bytes(device: str) -> float:
    """The memory of a device that a new step may take; infinite where nobody says.

    For a CPU it is what the machine has available, or less where a container or a limit of the shell allows
    less. For a GPU it is what the driver reports for the first visible one.
    """
    return _gpu_bytes("memory.free") if device == "cuda" else min(_available_bytes(), *_limits(used=True))


def total_bytes(device: str) -> float:
    """All memory of a device that this process could ever have; infinite where nobody says."""
    return _gpu_bytes("memory.total") if device == "cuda" else min(_machine_bytes(), *_limits(used=False))


def _gpu_bytes(field: str) -> float:
    """A figure of the first visible GPU, in bytes."""
    if not gpus():
        return math.inf
    one = [f"--id={name}" for name in visible_gpus()[:1]]
    code, told = ask_driver(field, "--format=csv,noheader,nounits", *one) or (1, "")
    found = told.split()
    return float(found[0]) * 2**20 if code == 0 and found and found[0].isdigit() else math.inf


def _machine_bytes() -> float:
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _available_bytes() -> float:
    """Memory that can be had without swapping; what this process has freed already counts."""
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) * 1024
    return _machine_bytes()


def _limits(*, used: bool) -> Iterator[float]:
    """The limits of the control group (version 2, then 1) and of the shell; with ``used``, what is left."""
    yield math.inf
    for folder, limit, now in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        most = "".join(_lines(Path(folder, limit)))
        if most.isdigit():
            taken = "".join(_lines(Path(folder, now)))
            files = [
                line for line in _lines(Path(folder, "memory.stat")) if line.startswith("inactive_file ")
            ]
            freed = float(files[0].split()[1]) if files else 0.0  # the cache of files gives way
            yield float(most) - (float(taken) - freed if used and taken.isdigit() else 0.0)
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    if soft != resource.RLIM_INFINITY:
        yield float(soft)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def release_memory() -> None:
    """Return unused memory to the system: that of a model that has been dropped, before the next is loaded.

    Networks that libraries have patched refer to themselves, so only the garbage collector frees them. It
    needs a quarter of a second for the objects of all libraries and is called only where the process holds
    much memory. On a GPU torch keeps freed memory in a cache, which is emptied.
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
    """The resident memory of this process in bytes; infinite where /proc does not say."""
    try:
        return float(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return math.inf


def peak_bytes(process: int) -> float:
    """The peak memory of a process and its descendants in bytes (Linux only).

    It is the sum of the peaks of the processes; memory that they share counts for each.
    """
    children: dict[int, list[int]] = {}
    peaks: dict[int, float] = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):  # the process has ended meanwhile
            values = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            children.setdefault(int(values["PPid"]), []).append(int(values["Pid"]))
            peaks[int(values["Pid"])] = float(values.get("VmHWM", "0").split()[0]) * 1024
    total, remaining = 0.0, [process]
    while remaining:
        one = remaining.pop()
        total += peaks.get(one, 0.0)
        remaining += children.get(one, [])
    return total


def forget_peak() -> None:
    """Let the peak of this process, and of its tensors on a GPU, start from what it holds now."""
    with suppress(OSError):  # not Linux
        Path("/proc/self/clear_refs").write_text("5")
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def own_peak(device: str) -> float:
    """The peak since :func:`forget_peak`, in bytes: of torch's memory on a GPU, else of this process."""
    torch = sys.modules.get("torch")
    if device == "cuda" and torch is not None and torch.cuda.is_available():
        return float(torch.cuda.max_memory_reserved())
    peaks = [line.split()[1] for line in _lines(Path("/proc/self/status")) if line.startswith("VmHWM:")]
    return float(peaks[0]) * 1024 if peaks else 0.0


def _glibc() -> Any:
    """The C library of this process."""
    import ctypes

    return ctypes.CDLL(None)


def trim_heap() -> None:
    """Return freed blocks of the heap to the system.

    glibc keeps freed blocks below 32 MB, and after :func:`freed_at_once` those below :data:`KEPT`.
    """
    with suppress(OSError, AttributeError):  # no glibc
        _glibc().malloc_trim(0)


@contextmanager
def freed_at_once() -> Iterator[None]:
    """While this is open, a block of a megabyte or more returns to the system as soon as it is freed.

    For weights, and for work that replaces every large tensor of a model by a small one: glibc would put the
    small ones into the gaps that it keeps, and no gap would remain that is wide enough for the next large
    one. From then on freed blocks below :data:`KEPT` stay with this process: by default glibc returns those
    of 32 MB, and the system clears each page that it gives again, a sixth of the time of a training on a CPU.
    """
    _own_blocks_from(1 << 20)
    try:
        yield
    finally:
        _own_blocks_from(KEPT)


def _own_blocks_from(size: int) -> None:
    """Let blocks of so many bytes be the system's own; who has set glibc's variables keeps his settings."""
    if not any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ):
        with suppress(OSError, AttributeError):  # no glibc
            _glibc().mallopt(M_MMAP_THRESHOLD, size)
            _glibc().mallopt(M_TRIM_THRESHOLD, min(2 * size, 2**31 - 1))
