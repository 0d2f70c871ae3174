"""The typed parts of a composed configuration: each distinct one of a grid is made once.

The jobs of a grid differ in a few words and so in a few parts. A part is what stands at one top-level name
(``method``, ``eval``, ``seed``), and it follows from the composed configuration and from the words that set
its own fields. Making the dataclasses of a whole run takes longer than all else that is composed for it, so
every job gets copies of parts that are kept as bytes. Where parts refer to one another (``${seed}``), or
where one is refused, the whole configuration is made instead, which also finds the words for the problem.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ptx.compose.fields import NoSuchField, set_field
from ptx.compose.numbers import field_problems
from ptx.compose.snapshot import Snapshot
from ptx.compose.typed import typed, untyped
from ptx.config import RunConfig
from ptx.errors import Problem
from ptx.guard.secrets import without_secrets

Values = Sequence[tuple[str, Any]]
FIELDS = {one.name: one for one in dataclasses.fields(RunConfig)}


class Parts:
    """A composed configuration, as bytes, with the parts that were made from it so far."""

    def __init__(self, node: DictConfig) -> None:
        self._node = Snapshot(node)
        self._read: DictConfig | None = None
        self._apart = set(node.keys()) == set(FIELDS) and not _refers(OmegaConf.to_container(node))
        self._bare: dict[str, Snapshot] = {}  # the configuration with one part, and nothing in the others
        self._made: dict[tuple[str, str], Snapshot | None] = {}  # None: it has problems

    def typed(self, values: Values) -> tuple[RunConfig | None, list[Problem]]:
        """The configuration with these fields set, and the problems.

        Of fields that it does not have the caller decides; with all other problems there is no configuration.
        """
        return self._of_parts(values) or self._whole(values)

    def _whole(self, values: Values) -> tuple[RunConfig | None, list[Problem]]:
        node = self._node.copy()
        problems = [problem for key, value in values for problem in set_field(node, key, value)]
        if not all(isinstance(problem, NoSuchField) for problem in problems):
            return None, problems
        config, refused = typed(node)
        return config, problems + refused

    def _of_parts(self, values: Values) -> tuple[RunConfig, list[Problem]] | None:
        """The configuration from parts; None where one of them has problems or depends on another."""
        own: dict[str, list[tuple[str, Any]]] = {name: [] for name in FIELDS}
        for key, value in values:
            own.setdefault(key.partition(".")[0], []).append((key, value))
        if not self._apart or len(own) > len(FIELDS) or _refers([value for _, value in values]):
            return None
        parts = {name: self._part(name, mine) for name, mine in own.items()}
        if None in parts.values():
            return None
        try:
            return RunConfig(**{name: part.copy() for name, part in parts.items() if part}), []
        except ValueError:
            return None

    def _part(self, name: str, values: Values) -> Snapshot | None:
        key = (name, repr(values))
        if key not in self._made:
            self._made[key] = self._make(name, values)
        return self._made[key]

    def _alone(self, name: str) -> DictConfig:
        """The configuration with this part only: a word sets a field of its own part, and reads no other."""
        if name not in self._bare:
            node = _empty().copy()
            if self._read is None:
                self._read = self._node.copy()
            # the public getter makes a plain value of it
            node[name] = self._read._get_node(name)  # noqa: SLF001
            self._bare[name] = Snapshot(node)
        found: DictConfig = self._bare[name].copy()
        return found

    def _make(self, name: str, values: Values) -> Snapshot | None:
        node = self._alone(name)
        if any(set_field(node, key, value) for key, value in values):
            return None
        part = node._get_node(name)  # noqa: SLF001 (the public getter makes a plain value of it)
        try:
            value = OmegaConf.to_object(part) if OmegaConf.is_config(part) else node[name]
            refused = untyped({name: value}) or field_problems(name, value, FIELDS[name])
            return None if refused else Snapshot(without_secrets(value))
        except Exception:  # noqa: BLE001 (a plugin's class may raise anything; the whole says what)
            return None


@cache
def _empty() -> Snapshot:
    """The configuration with nothing in any part."""
    return Snapshot(OmegaConf.structured(RunConfig))


def _refers(value: Any) -> bool:
    """Whether plain values hold a reference to another one (``${...}``), or lack one that must be given."""
    if isinstance(value, dict):
        return any(map(_refers, value.values()))
    if isinstance(value, list):
        return any(map(_refers, value))
    return isinstance(value, str) and "${" in value
