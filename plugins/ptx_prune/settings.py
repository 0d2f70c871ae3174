"""Checks of the pruning settings that need no model.

``name`` is the choice; it goes into the suggested correction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ptx import SettingError
from ptx.lm.compression.sparsity import parse_pattern
from ptx.lm.compression.targets import check_patterns

if TYPE_CHECKING:
    from ptx_prune import Magnitude, OneShot


def check(name: str, config: OneShot | Magnitude) -> None:
    """Check sparsity, pattern, layers and skip, which every choice has."""
    where = f"compress.{name}"
    if not 0 < config.sparsity < 1:
        raise SettingError(
            f"{where}.sparsity must lie between 0 and 1, got {config.sparsity}; try {where}.sparsity=0.5",
            where,
        )
    check_patterns(f"{where}.skip", config.skip)
    check_patterns(f"{where}.layers", config.layers)
    for expression, sparsity in config.layers.items():
        if not 0 < sparsity < 1:
            raise SettingError(
                f"{where}.layers: sparsity of {expression!r} must lie between 0 and 1, got {sparsity}; "
                f"leave a layer alone with {where}.skip=[{expression}]",
                where,
            )
    _check_pattern(where, config)


def _check_pattern(where: str, config: OneShot | Magnitude) -> None:
    if config.pattern == "unstructured":
        return
    if not (found := re.fullmatch(r"(\d+):(\d+)", config.pattern)) or not 0 < int(found[1]) < int(found[2]):
        raise SettingError(
            f"{where}.pattern must be unstructured or n:m, got {config.pattern!r}; try {where}.pattern=2:4",
            where,
        )
    zeros, group = parse_pattern(config.pattern)
    if abs(zeros / group - config.sparsity) > 1e-3:
        raise SettingError(
            f"{where}.pattern={config.pattern} is a sparsity of {zeros / group:.4g}, but sparsity is"
            f" {config.sparsity}; add {where}.sparsity={zeros / group:.4g}",
            where,
        )
    if config.layers:
        raise SettingError(
            f"{where}.pattern={config.pattern} fixes the sparsity of every layer; leave {where}.layers out,"
            " or use skip",
            where,
        )


def check_allocation(name: str, config: OneShot) -> None:
    """Check how sparsity is distributed over the layers."""
    where = f"compress.{name}"
    if config.allocation not in ("uniform", "owl"):
        raise SettingError(
            f"{where}.allocation must be uniform or owl, got {config.allocation!r}; try"
            f" {where}.allocation=owl",
            where,
        )
    if config.outlier <= 0:
        raise SettingError(
            f"{where}.outlier must be positive, got {config.outlier}; try {where}.outlier=5", where
        )
    room = min(config.sparsity, 1 - config.sparsity)
    if config.allocation == "owl" and not 0 < config.spread < room / 2:
        raise SettingError(
            f"{where}.spread must lie between 0 and {room / 2:.4g} at sparsity {config.sparsity}, got"
            f" {config.spread}; try {where}.spread={min(0.08, room / 4):.2g}",
            where,
        )
    if config.allocation == "owl" and config.pattern != "unstructured":
        raise SettingError(
            f"{where}.pattern={config.pattern} fixes the sparsity of every layer; try"
            f" {where}.allocation=uniform",
            where,
        )
