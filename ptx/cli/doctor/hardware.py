"""The machine: processor, threads, memory, disk, GPUs with their driver, and a torch that fits to them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from ptx.cli.doctor.line import Line
from ptx.cli.human import size_text
from ptx.guard.scratch import PREFIX
from ptx.machine import ask_driver, cpu_name, free_bytes, installed_version, total_bytes

QUERY = ("name", "driver_version", "memory.free", "memory.total")
LITTLE_MEMORY = 4e9  # bytes: the libraries and a model of 100 million parameters in training
LITTLE_DISK = 5e9


def look() -> list[Line]:
    """What a run would find here."""
    return [_python(), _processor(), _memory(), *_disks(), *_gpus()]


def _python() -> Line:
    return Line("Python", f"{sys.version.split()[0]} ({sys.executable})")


def _processor() -> Line:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS")
    told = f"OMP_NUM_THREADS={threads}" if threads else "OMP_NUM_THREADS is not set: one thread for each core"
    return Line("processor", f"{cpu_name()}, {cores} cores; {told}")


def _memory() -> Line:
    free, total = free_bytes("cpu"), total_bytes("cpu")
    few = free < LITTLE_MEMORY
    text = f"{size_text(free)} free of {size_text(total)}"
    return Line(
        "memory", text, "note" if few else "fine", "train small models, with lora=lora" if few else ""
    )


def _disks() -> list[Line]:
    lines = []
    for about, folder in (("disk of this folder", Path.cwd()), ("temporary folder", _temporary())):
        free = shutil.disk_usage(folder).free
        few = free < LITTLE_DISK
        fix = "free some, or name another place with out=FOLDER" if few else ""
        lines.append(Line(about, f"{size_text(free)} free ({folder})", "note" if few else "fine", fix))
    return lines


def _temporary() -> Path:
    """The folder that holds the temporary folder of this process."""
    folder = Path(tempfile.gettempdir())
    return folder.parent if folder.name.startswith(PREFIX) else folder


def _gpus() -> list[Line]:
    """The GPUs; a torch that cannot use them is wrong, because everything would run on the processor."""
    answer = ask_driver(",".join(QUERY))
    if answer is None:
        return [Line("GPU", "none (no nvidia-smi): runs use the processor")]
    code, told = answer
    if code:
        return [Line("GPU", f"the driver does not answer: {told.strip()}", "wrong", "nvidia-smi says more")]
    lines = []
    for row in filter(None, map(str.strip, told.splitlines())):
        name, driver, free, total = (cell.strip() for cell in row.split(","))
        lines.append(Line("GPU", f"{name}, {free} free of {total}, driver {driver}"))
    if lines and installed_version("torch").endswith("+cpu"):
        text = "is a build for processors only: device=auto does not use the GPU"
        lines.append(Line("torch", text, "wrong", "install torch's build for the CUDA that the driver has"))
    return lines
