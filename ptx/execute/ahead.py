"""The input model of the next run is read from disk while the present one works.

A thread reads the files and keeps nothing: afterwards they lie in the kernel's page cache, where the next
load finds them, on a CPU as on a GPU. (``posix_fadvise`` does not do it: the kernel reads a megabyte or so of
what it is told will be needed.) It pays where runs start from different models that have not been read lately
(``model=./a,./b``); a sweep over one model has it in the cache after the first run.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Thread

from ptx.machine import free_bytes

SHARE = 0.5  # of the free memory: what is read ahead must not push out what is in use
WEIGHTS = (".safetensors", ".gguf", ".onnx", ".data", ".bin")
PIECE = 1 << 22  # bytes


def read_ahead(folder: Path, free: float | None = None) -> Thread | None:
    """Start to read the weights in a model's folder; None where there are none, or they would not fit.

    Nothing here can fail a run: a file that cannot be read is left to the run itself.
    """
    files = [path for path in sorted(folder.glob("*")) if path.suffix in WEIGHTS and path.is_file()]
    total = sum(path.stat().st_size for path in files)
    if not files or total > SHARE * (free_bytes("cpu") if free is None else free):
        return None
    thread = Thread(target=_read, args=(files,), daemon=True)
    thread.start()
    return thread


def _read(files: list[Path]) -> None:
    piece = bytearray(PIECE)
    for path in files:
        with suppress(OSError), path.open("rb", buffering=0) as file:
            while file.readinto(piece):
                pass
