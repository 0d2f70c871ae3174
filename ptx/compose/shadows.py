"""Which files of the user take the place of packaged ones: ./conf and --config-dir are searched first.

That is meant, but it can be forgotten: a command says so when it uses such a file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ptx.hooks.host import Host

OWN = "conf"  # the folder of the working folder that is searched
PACKAGED = Path(__file__).parents[1] / "conf"
FROM_SOURCE = Path(__file__).parents[2] / "conf"  # of an editable installation


def shadowing(host: Host, config_dir: str | None = None) -> Iterator[tuple[str, str, Path]]:
    """(group, name, file) for each file of the user that takes the place of a packaged choice or preset."""
    mine = [Path(folder) for folder in (config_dir, OWN) if folder and Path(folder).is_dir()]
    others = [*_packaged(host)] if mine else []
    for folder in mine:
        for file in sorted(folder.glob("*/*.yaml")):
            group, name = file.parent.name, file.stem
            elsewhere = [one for one in others if one.resolve() != folder.resolve()]
            if (group, name) in host.choices or any((one / group / file.name).is_file() for one in elsewhere):
                yield group, name, file


def _packaged(host: Host) -> Iterator[Path]:
    """The folders of presets of ptx and of the plugins."""
    yield PACKAGED if PACKAGED.is_dir() else FROM_SOURCE
    for folder in (folder for found in host.hook.ptx_searchpath() for folder in found):
        package, *parts = folder.removeprefix("pkg://").split(".") if "://" in folder else [""]
        file = getattr(sys.modules.get(package), "__file__", None)
        yield Path(file).parent.joinpath(*parts) if file else Path(folder)


def shadow_notes(host: Host, choices: Mapping[str, str], config_dir: str | None) -> list[str]:
    """A sentence for each chosen word that means a file of the user, and not ptx's own."""
    typed = {
        (group, name.strip()) for group, value in choices.items() for name in value.strip("[]").split(",")
    }
    return [
        f"{group}={name} is {file}, in place of ptx's own"
        for group, name, file in shadowing(host, config_dir)
        if (group, name) in typed
    ]
