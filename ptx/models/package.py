"""Runtime packages: the folder that a runtime serves, described by its ``package.json``.

A package is a :class:`ptx.ModelRef` of kind ``package``. Its ``package.json`` holds ``ptx_package`` (the
version of this description), ``runtime`` (the choice that opens it), ``source`` (the digest of the model that
it was exported from) and the facts that the runtime adds. With it a package can be evaluated again
(``ptx eval model=./PACKAGE runtime=onnx``) and is never mistaken for a model that can be trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx.files import read_json, write_json

FILE = "package.json"
VERSION = 1


def write_package(folder: Path, runtime: str, source: str, facts: dict[str, Any]) -> None:
    """Write the description of the package in ``folder``.

    It holds no time and no path, so that the same package has the same digest.
    """
    write_json(folder / FILE, {"ptx_package": VERSION, "runtime": runtime, "source": source, **facts})


def read_package(folder: Path) -> dict[str, Any]:
    """The description of a package; empty for any other folder (npm has files of the same name)."""
    file = folder / FILE
    found = read_json(file) if file.is_file() else {}
    return found if isinstance(found, dict) and "ptx_package" in found else {}
