"""Data choices as typed rows: read, recognised and converted, never guessed.

Imports no ML library (pyarrow only for parquet), and what reads files only when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ptx.data.dataset import DataSet
from ptx.data.promised import Promised
from ptx.data.shapes import COLUMNS, SHAPES

if TYPE_CHECKING:
    from ptx.data.findings.checking import check
    from ptx.data.opening import open_data

__all__ = ["COLUMNS", "SHAPES", "DataSet", "Promised", "check", "open_data"]

LATER = {"check": "ptx.data.findings.checking", "open_data": "ptx.data.opening"}


def __getattr__(name: str) -> Any:
    """What few commands need is imported when it is used: ``ptx --help`` reads no data."""
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module 'ptx.data' has no attribute {name!r}")
