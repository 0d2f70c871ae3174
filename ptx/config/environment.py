"""A step in an environment of its own: another Python, which need hold neither ptx nor any library that ptx
pins.

What passes between is files. A plugin's configuration says ``outside()``: which script takes the step, and
with which Python. The script is called as ``PYTHON SCRIPT SPEC.json``;
:func:`ptx.execute.process.run_in_environment` is the caller and says what stands in SPEC. The script's content, the
Python's version and every distribution installed there decide the result, so they are in the step's key.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError, Problem
from ptx.files import file_digest

VARIABLE = "PTX_STEP_PYTHON"
PROBE = """
import importlib.metadata, json, platform
found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if d.metadata["Name"]}
print(json.dumps({"python": platform.python_version(), "distributions": dict(sorted(found.items()))}))
"""
PATIENCE = 60.0  # seconds for a Python to say what it holds


@dataclass(frozen=True)
class Outside:
    """Where a step is taken. ``python`` may be empty: then ``$PTX_STEP_PYTHON`` says it. ``field`` is what
    the user would type to set it.

    ``requirements`` is a file for pip that makes the environment; where it is given, a missing environment is
    refused with the way to it.
    """

    script: Path
    python: str = ""
    field: str = "python"
    requirements: Path | None = None

    @property
    def interpreter(self) -> Path:
        """The Python that was asked for; ConfigError when none was, or it is not there."""
        asked = self.python or os.environ.get(VARIABLE, "")
        if not asked:
            what = f"{self.script.name} runs in an environment of its own, and none is named"
            raise ConfigError(
                Problem(what, f"{self._way}{self.field}=/path/to/venv/bin/python, or {VARIABLE}=...")
            )
        path = Path(asked).expanduser().absolute()  # not resolved: a venv's Python is a link
        if not os.access(path, os.X_OK) or path.is_dir():
            raise ConfigError(
                Problem(f"there is no Python at {asked}", f"{self._way}{self.field}=/path/to/venv/bin/python")
            )
        return path

    @property
    def _way(self) -> str:
        """How the environment is made, where the plugin says it."""
        return (
            f"python -m venv VENV && VENV/bin/pip install -r {self.requirements}, then "
            if self.requirements
            else ""
        )

    @staticmethod
    def variables() -> dict[str, str]:
        """This process's variables without those that would lead the other Python to libraries from here."""
        left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        return {name: value for name, value in os.environ.items() if name not in left_out}

    def identity(self) -> dict[str, Any]:
        """What of it decides the result, for the step's key."""
        python = self.interpreter
        return {"script": file_digest(self.script), **held_by(python, _stamp(python))}


def _stamp(python: Path) -> tuple[int, ...]:
    """Changes when something is installed beside a Python."""
    folders = sorted(python.parent.parent.glob("lib*/python*/site-packages"))
    return tuple(folder.stat().st_mtime_ns for folder in [python, *folders])


@functools.cache
def held_by(python: Path, _stamp: tuple[int, ...]) -> dict[str, Any]:
    """The version of a Python and of everything installed for it."""
    try:
        done = subprocess.run(
            [python, "-c", PROBE], capture_output=True, text=True, env=Outside.variables(), timeout=PATIENCE
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            Problem(
                f"{python} does not say what it holds ({type(error).__name__})",
                "is it a Python 3.8 or newer?",
            )
        ) from error
    return found
