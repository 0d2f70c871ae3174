"""Leaves columns and keys of messages out of a table, where the user says so: ``data.drop=[NAME]``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ptx.data.names import REASONING, TRAINED_IF
from ptx.data.records import Table
from ptx.errors import ConfigError, Problem, did_you_mean

#: keys that say the same: messages name them after the first one, whatever the file calls it
GROUPS = (frozenset(REASONING), frozenset(TRAINED_IF))


def without(table: Table, names: Sequence[str], *, optional: bool) -> Table:
    """The table without the columns, and without the keys in the objects of its lists.

    Raises:
        ConfigError: the table has no such name (``optional``: another file of the family may have it).
    """
    dropped = frozenset(names)
    for group in GROUPS:
        dropped |= group if dropped & group else frozenset()
    met: set[str] = set()
    records = [
        record._replace(
            row={
                name: _pruned(value, dropped, met)
                for name, value in record.row.items()
                if not (name in dropped and not met.add(name))  # type: ignore[func-returns-value]
            }
        )
        for record in table.records
    ]
    if not optional and (unknown := [name for name in names if name not in _known(met)]):
        known = [*table.columns, *_keys(table)]
        raise ConfigError(
            [
                Problem(
                    f"data.drop={name}: {table.name} has no column or key {name}", did_you_mean(name, known)
                )
                for name in unknown
            ]
        )
    return replace(table, records=records)


def _known(met: set[str]) -> set[str]:
    return met.union(*(group for group in GROUPS if met & group))


def _pruned(value: Any, names: frozenset[str], met: set[str]) -> Any:
    """The objects of a list without the keys; a single message counts as a list of one."""
    if isinstance(value, list):
        return [_pruned(item, names, met) if isinstance(item, dict) else item for item in value]
    if not isinstance(value, dict) or names.isdisjoint(value):
        return value
    met |= names & value.keys()
    return {key: item for key, item in value.items() if key not in names}


def _keys(table: Table) -> list[str]:
    """The keys of messages."""
    lists = [value for record in table.records for value in record.row.values() if isinstance(value, list)]
    return list(
        dict.fromkeys(key for items in lists for item in items if isinstance(item, dict) for key in item)
    )
