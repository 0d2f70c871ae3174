"""The plugins: which are loaded, which are broken, and which choices lack a library or an environment."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from ptx.cli.doctor.distributions import extra_with
from ptx.cli.doctor.environments import requirements_of
from ptx.cli.doctor.line import Line
from ptx.compose.shadows import OWN, shadowing
from ptx.config import Choice
from ptx.errors import counted
from ptx.hooks.host import DISABLED, LOCAL, PTXFILE, Host, heavy_line
from ptx.machine import installed_version


def look(host: Host) -> list[Line]:
    """How many are loaded, what is broken, and what each choice lacks."""
    loaded = [plugin for plugin in host.plugins if not plugin.error]
    lines = [Line("loaded", f"{counted(len(loaded), 'plugin')}, {counted(len(host.choices), 'choice')}")]
    for plugin in host.broken:
        off = plugin.error == DISABLED
        fix = "" if off else f"mend it, or leave it out: PTX_DISABLE={plugin.name}"
        lines.append(Line(plugin.name, f"not loaded: {plugin.error}", "note" if off else "wrong", fix))
    lines += [Line(one.name, heavy_line(one), "note") for one in loaded if one.heavy]
    return [*lines, *_missing(host), *_local(host)]


def _missing(host: Host) -> list[Line]:
    """One line for each thing that pip can add, with the choices that wait for it."""
    waiting: dict[str, list[str]] = defaultdict(list)
    elsewhere = requirements_of(host)
    for choice in host.choices.values():
        if _typed(choice) in elsewhere:  # its libraries lie in an environment of their own
            continue
        absent = [name for name in choice.libraries if not installed_version(name)]
        for wanted in dict.fromkeys(map(extra_with, absent)):
            waiting[wanted].append(_typed(choice))
    return [
        Line(", ".join(names), f"needs {wanted}", "note", f"pip install '{wanted}'")
        for wanted, names in waiting.items()
    ]


def _typed(choice: Choice) -> str:
    return f"{choice.group}={choice.name}"


def _local(host: Host) -> list[Line]:
    """What the working folder brings: code and configurations that shadow packaged ones."""
    lines = []
    if any(plugin.name == LOCAL and not plugin.error for plugin in host.plugins):
        lines.append(Line(PTXFILE, "of this folder is loaded", "fine", f"PTX_DISABLE={LOCAL} leaves it out"))
    if Path(OWN).is_dir():
        lines.append(Line(f"./{OWN}", "of this folder is searched for presets first"))
    for group, name, file in shadowing(host):
        lines.append(Line(str(file), f"is used in place of ptx's own {group}={name}", "note", "rename it"))
    return lines
