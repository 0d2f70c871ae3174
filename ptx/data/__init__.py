"""Data choices as typed rows: read, recognised and converted, never guessed.

Imports no ML library (pyarrow only for parquet).
"""

from ptx.data.check import check
from ptx.data.dataset import DataSet
from ptx.data.opening import open_data
from ptx.data.promised import Promised
from ptx.data.shapes import COLUMNS, SHAPES

__all__ = ["COLUMNS", "SHAPES", "DataSet", "Promised", "check", "open_data"]
