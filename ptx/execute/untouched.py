"""A step reads its input and writes below ``run.folder``: an input that it changes fails the step.

Other runs read the same folder, and the keys of the store stand for its content. Names, sizes and times are
compared, which costs no more than a listing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ptx.errors import StepError
from ptx.files import files_of

SHOWN = 3  # files that are named


@contextmanager
def untouched(folder: Path, plugin: str) -> Iterator[None]:
    """Watch a model folder while a plugin has it.

    Raises:
        StepError: files were added, removed or written; they are named.
    """
    before = _look(folder)
    try:
        yield
    except Exception as error:
        if said := _changed(before, _look(folder), folder, plugin):
            raise StepError(f"{said}. It failed too: {error}") from error
        raise
    if said := _changed(before, _look(folder), folder, plugin):
        raise StepError(said)


def _changed(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], folder: Path, plugin: str
) -> str:
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if not changed:
        return ""
    more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
    return (
        f"plugin {plugin} changed its input: {', '.join(changed[:SHOWN])}{more} in {folder}; a step writes"
        " below run.folder. Put the folder back as it was: other runs read it too"
    )


def _look(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file."""
    found = {}
    for file in files_of(folder):
        stat = file.stat()
        found[str(file.relative_to(folder))] = (stat.st_size, stat.st_mtime_ns)
    return found
