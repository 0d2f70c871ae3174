"""Other environments: which runtimes and steps the Python that the user names can serve."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ptx.cli.doctor.line import Line, Severity
from ptx.config.environment import VARIABLE, Outside
from ptx.errors import ConfigError
from ptx.hooks.host import Host

HOW = (
    f"make one (ptx docs other-environment) and name it: {VARIABLE}=VENV/bin/python;"
    " ptx doctor VENV/bin/python looks at it first"
)


def look(host: Host, named: Sequence[Path]) -> list[Line]:
    """For every named Python, and that of $PTX_STEP_PYTHON, what it can serve."""
    needs = requirements_of(host)
    given = [*named, *([Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else [])]
    if not given:
        return [
            Line(
                ", ".join(needs), "each needs a Python environment of its own, and none is named", "note", HOW
            )
        ]
    return [line for python in given for line in _looked_at(python, needs)]


def requirements_of(host: Host) -> dict[str, Path]:
    """Choice -> the requirements of its environment, for each choice whose plugin ships such a file."""
    found = {}
    for (group, name), choice in sorted(host.choices.items()):
        module = sys.modules[choice.config_type.__module__]
        file = Path(getattr(module, "__file__", None) or "/").parent / "requirements.txt"
        if file.is_file():
            found[f"{group}={name}"] = file
    return found


def _looked_at(python: Path, needs: dict[str, Path]) -> list[Line]:
    """What an environment holds and lacks for each choice that runs in one."""
    try:
        held = Outside(Path(sys.argv[0]), str(python)).contents()
    except ConfigError as error:
        return [Line(str(python), problem.what, "wrong", problem.fix) for problem in error.problems]
    versions = {str(canonicalize_name(name)): version for name, version in held["distributions"].items()}
    lines = [Line(str(python), f"Python {held['python']}, {len(versions)} distributions")]
    for choice, file in needs.items():
        lacking = [str(one) for one in _requirements(file) if not _met(one, versions)]
        severity: Severity = "note" if lacking else "fine"
        found = f"lacks {', '.join(lacking)}" if lacking else "can run here"
        lines.append(Line(choice, found, severity, f"{python} -m pip install -r {file}" if lacking else ""))
    return lines


def _requirements(file: Path) -> Iterator[Requirement]:
    for text in file.read_text().splitlines():
        try:
            yield Requirement(text.partition("#")[0].strip())
        except InvalidRequirement:  # a comment, an option of pip
            continue


def _met(wanted: Requirement, versions: dict[str, str]) -> bool:
    """Whether a distribution is there; vLLM's build for processors has a name of its own."""
    names = [canonicalize_name(name) for name in (wanted.name, f"{wanted.name}-cpu")]
    return any(
        name in versions and wanted.specifier.contains(versions[name], prereleases=True) for name in names
    )
