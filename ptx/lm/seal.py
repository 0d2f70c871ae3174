"""Seals: the sizes and digests of the files that a killed step resumes from, written when they are complete.

A folder with a seal was written to its end, and a file that does not agree with it has been damaged since.
xxHash (not SHA-256) because a checkpoint is hashed while the training waits, and nobody is kept out by it:
whoever may write into the folder may seal it. So pickles are read with ``weights_only`` all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ptx.files import files_of, read_json, write_json

SEAL = "seal.json"
CHUNK = 1 << 22


def file_hash(path: Path) -> str:
    """Hash of a file's bytes, hex."""
    import xxhash

    found = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def seal(files: Iterable[Path], seal_file: Path) -> None:
    """Write the sizes and digests of ``files``, which lie below the folder of ``seal_file``, to it."""
    home = seal_file.parent
    write_json(
        seal_file,
        {str(file.relative_to(home)): [file.stat().st_size, file_hash(file)] for file in files},
    )


def seal_folder(folder: Path) -> None:
    """Seal every file in ``folder``."""
    seal([file for file in files_of(folder) if file.name != SEAL], folder / SEAL)


def damage(seal_file: Path) -> str:
    """What is wrong with the sealed files; empty when they are as they were.

    A seal that cannot be read is damage too; that there is none must be asked before.
    """
    try:
        sealed = _entries(read_json(seal_file))
        if not sealed:
            return f"{seal_file.name} names no file"
        for name, (size, digest) in sealed.items():
            file = seal_file.parent / name
            if not file.is_file():
                return f"{name} is missing"
            if file.stat().st_size != size:
                return f"{name} has {file.stat().st_size} bytes of {size}"
            if file_hash(file) != digest:
                return f"{name} has other content than was written"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return f"{seal_file.name} cannot be read ({error})"
    return ""


def _entries(value: Any) -> dict[str, tuple[int, str]]:
    return {str(name): (int(size), str(digest)) for name, (size, digest) in value.items()}
