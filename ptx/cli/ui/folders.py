"""The sweeps below a folder, each with the name under which the page shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ptx.report.table.records import SKIPPED

DEEPEST = 4  # folders between the root and a sweep: study/ptx-out/runs/SWEEP
ITSELF = "."


def sweeps_below(root: Path) -> dict[str, Path]:
    """Name -> folder of every sweep; the name is the path below ``root``, without the folder ``runs``.

    A sweep is a folder with a ``sweep.json``, or with folders that have a ``run.json``. A run's own folder
    stands for its sweep.
    """
    if (root / "run.json").is_file():
        root = root.resolve().parent
    found: dict[str, Path] = {}
    for folder in _walk(root, DEEPEST):
        parts = folder.relative_to(root).parts
        short = "/".join(parts[1:] if parts[:1] == ("runs",) else parts)
        name = short if short not in found else "/".join(parts)
        found[name or ITSELF] = folder
    return found


def _walk(folder: Path, deeper: int) -> Iterator[Path]:
    """The sweeps at or below a folder; what cannot be read, or is deleted meanwhile, holds none."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(one.name for one in entries if one.is_dir() and not one.name.startswith("."))
    except OSError:
        return
    if is_sweep(folder, names):
        yield folder
        return
    for name in names:
        if deeper and name not in SKIPPED:
            yield from _walk(folder / name, deeper - 1)


def is_sweep(folder: Path, names: list[str]) -> bool:
    """Whether a folder with these folders in it is a sweep."""
    if os.path.isfile(f"{folder}/sweep.json"):  # noqa: PTH113 (a Path of each folder takes longer)
        return True
    return any(os.path.isfile(f"{folder}/{name}/run.json") for name in names)  # noqa: PTH113
