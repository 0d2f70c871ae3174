"""Configurations as plain data for ``run.json``, and back again, without Hydra.

The dataclass of a choice becomes a mapping of its fields, with ``choice: GROUP=NAME`` as the first entry.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ptx.config import RunConfig
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import Host


def plain(value: Any, host: Host) -> Any:
    """A configuration as plain data that JSON can hold."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: plain(getattr(value, field.name), host) for field in dataclasses.fields(value)}
        named = {choice.config_type: f"{choice.group}={choice.name}" for choice in host.choices.values()}
        return ({"choice": named[type(value)]} if type(value) in named else {}) | fields
    if isinstance(value, dict):
        return {key: plain(item, host) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def thaw(frozen: dict[str, Any], host: Host) -> RunConfig:
    """The configuration that :func:`plain` was given."""
    known = {field.name for field in dataclasses.fields(RunConfig)}
    return RunConfig(**{name: _thawed(value, host) for name, value in frozen.items() if name in known})


def _thawed(value: Any, host: Host) -> Any:
    if not isinstance(value, dict):
        return value
    fields = {key: _thawed(item, host) for key, item in value.items() if key != "choice"}
    if "choice" not in value:
        return fields
    group, _, name = str(value["choice"]).partition("=")
    choice = host.choices.get((group, name))
    if choice is None:
        raise ConfigError(
            Problem(
                f"the run uses {group}={name}, which no loaded plugin contributes",
                "install the plugin, or copy its ptxfile.py to this folder",
            )
        )
    return choice.config_type(**fields)
