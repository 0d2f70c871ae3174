"""Steps in another environment: a Python that needs neither ptx nor any library that ptx pins.

The two sides exchange files. The ``outside()`` of a configuration names the script that runs the step and the
Python that runs the script, as ``PYTHON SCRIPT SPEC.json``. :func:`ptx.execute.process.run_in_environment`
calls it and documents SPEC. The content of the script, the version of Python and every distribution that is
installed there decide the result, so they are in the key of the step.
"""

from __future__ import annotations

import functools
import json
import os
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
PROBE_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True)
class Outside:
    """The environment that a step runs in, and the script that runs it there.

    ``python`` is the interpreter; where it is empty, ``$PTX_STEP_PYTHON`` names it. ``field`` is the setting
    with which the user names it. ``requirements`` is a file for pip; where it is given, the error for a
    missing environment says how to make it.
    """

    script: Path
    python: str = ""
    field: str = "python"
    requirements: Path | None = None

    @property
    def interpreter(self) -> Path:
        """The path of the interpreter.

        Raises:
            ConfigError: when none is named, or none exists there.
        """
        named = self.python or os.environ.get(VARIABLE, "")
        advice = f"{self._instructions}{self.field}=/path/to/venv/bin/python"
        if not named:
            what = f"{self.script.name} runs in an environment of its own, and none is named"
            raise ConfigError(Problem(what, f"{advice}, or {VARIABLE}=..."))
        path = Path(named).expanduser().absolute()  # not resolved: the Python of a venv is a link
        if not os.access(path, os.X_OK) or path.is_dir():
            raise ConfigError(Problem(f"there is no Python at {named}", advice))
        return path

    @property
    def _instructions(self) -> str:
        """The commands that make the environment, where the plugin has a file of requirements."""
        return (
            f"python -m venv VENV && VENV/bin/pip install -r {self.requirements}, then "
            if self.requirements
            else ""
        )

    @staticmethod
    def variables() -> dict[str, str]:
        """The environment variables without those that lead the other Python to libraries of this one."""
        left_out = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "VIRTUAL_ENV")
        return {name: value for name, value in os.environ.items() if name not in left_out}

    def identity(self) -> dict[str, Any]:
        """The ingredient of the step's key: the script, the version of Python, and all distributions."""
        held = self.contents()
        return {"script": file_digest(self.script), **held}

    def contents(self) -> dict[str, Any]:
        """The version of Python there, and the version of every distribution.

        Raises:
            ConfigError: when no Python is named, none exists there, or it does not answer.
        """
        python = self.interpreter
        return _contents_of(python, _stamp(python))


def _stamp(python: Path) -> tuple[int, ...]:
    """Time stamps that change when a distribution is installed for an interpreter."""
    folders = sorted(python.parent.parent.glob("lib*/python*/site-packages"))
    return tuple(folder.stat().st_mtime_ns for folder in [python, *folders])


@functools.cache
def _contents_of(python: Path, _stamp: tuple[int, ...]) -> dict[str, Any]:
    """The version of an interpreter and of every distribution that is installed for it."""
    import subprocess  # late, as it is slow to import

    try:
        done = subprocess.run(
            [python, "-c", PROBE],
            capture_output=True,
            text=True,
            env=Outside.variables(),
            timeout=PROBE_TIMEOUT,
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ConfigError(
            Problem(
                f"{python} does not list its distributions ({type(error).__name__})",
                "is it a Python 3.8 or newer?",
            )
        ) from error
    return found
