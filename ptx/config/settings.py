"""Fields of configuration classes: each has a sentence of help, and says whether it decides the result."""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, field
from typing import Any


def setting(
    default: Any = MISSING,
    help: str = "",  # noqa: A002 (the word of argparse and click)
    *,
    identity: bool = True,
    least: float | None = None,
) -> Any:
    """A dataclass field with a sentence of help.

    ``identity=False`` marks a field that does not change the result (a logging interval): it is not in the
    key of a step. ``least`` is the smallest number that it may be, where that is below 0 and the default.
    Mutable defaults are copied for each instance. A field without a default must be given, by its name.
    """
    metadata = {"help": help, "identity": identity, "least": least}
    if isinstance(default, list | dict):
        return field(default_factory=default.copy, metadata=metadata)
    kw_only: Any = True if default is MISSING else MISSING  # MISSING: as the class says
    return field(default=default, kw_only=kw_only, metadata=metadata)


def identity_of(config: Any) -> dict[str, Any]:
    """The settings of ``config`` that decide its result, as plain data for a key."""
    return {
        f.name: _identity(getattr(config, f.name))
        for f in dataclasses.fields(config)
        if f.metadata.get("identity", True)
    }


def _identity(value: Any) -> Any:
    return {"type": type(value).__name__, **identity_of(value)} if dataclasses.is_dataclass(value) else value
