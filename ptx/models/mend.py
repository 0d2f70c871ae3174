"""A copy of a model folder in which the findings are mended. The original is not touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from ptx.errors import ConfigError, Problem
from ptx.files import write_json
from ptx.models.contradictions import findings
from ptx.models.finding import Edit, Finding
from ptx.models.folder import open_folder


def mend(path: Path, out: Path) -> tuple[list[Finding], list[Finding]]:
    """Write a copy of the folder ``path`` to ``out``; returns what was mended, and what is left.

    Weights are never changed, so the copy shares their files where the disk allows it.

    Raises:
        ConfigError: ``out`` exists already.
    """
    if out.exists():
        raise ConfigError(Problem(f"{out} exists already", "name another folder with out="))
    found = findings(path)
    mended = [one for one in found if one.edits]
    staged = out.with_name(f".{out.name}.part")
    shutil.rmtree(staged, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(path, staged, copy_function=_copied, ignore=shutil.ignore_patterns(".git", ".cache"))
    for one in mended:
        _apply(staged, one.edits)
    staged.rename(out)
    return mended, [*findings(out)]


def _copied(source: str, target: str) -> None:
    """Copy a file; weights, which are large and stay as they are, become a second name of the same file."""
    if source.endswith(".safetensors"):
        try:
            os.link(Path(source).resolve(), target)
        except OSError:
            pass
        else:
            return
    shutil.copy2(source, target)


def _apply(folder: Path, edits: Sequence[tuple[str, Edit | None]]) -> None:
    for name, edit in edits:
        file = folder / name
        if edit is None:
            file.unlink(missing_ok=True)
            continue
        held = open_folder(folder).json(name)
        edit(held)
        write_json(file, held)
