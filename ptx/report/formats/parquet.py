"""report.parquet: the plain table of :mod:`ptx.report.formats.tables` for tools that read columns.

It has the columns of :func:`ptx.load_sweep`. A column has one type: numbers where all its values are, else
texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def render_parquet(columns: Mapping[str, Sequence[Any]], shared: Callable[[str], str]) -> bytes:
    """The columns as a file; ``shared`` makes a text fit to be shared."""
    import pyarrow as pa
    from pyarrow import parquet

    texts: dict[str, str] = {}  # most texts repeat in ten thousand lines

    def plain(value: str | None) -> str | None:
        if value is not None and value not in texts:
            texts[value] = shared(value)
        return None if value is None else texts[value]

    made = {}
    for name, values in columns.items():
        is_text = any(isinstance(value, str) for value in values)
        made[shared(name)] = _texts([plain(one) for one in values]) if is_text else _numbers(values)
    file = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_arrays([*made.values()], names=[*made]), file)
    found: bytes = file.getvalue().to_pybytes()
    return found


def _texts(values: Sequence[str | None]) -> Any:
    """A column of texts; ``pyarrow.array`` would import pandas to ask whether the list is one of its own."""
    import pyarrow as pa

    builder = pa.lib.StringBuilder()
    builder.append_values(values)
    return builder.finish()


def _numbers(values: Sequence[Any]) -> Any:
    """A column of numbers, empty where there is none."""
    import numpy as np
    import pyarrow as pa

    there = np.array([value is not None for value in values], bool)
    numbers = np.array([math.nan if value is None else value for value in values], np.float64)
    mask = np.packbits(there, bitorder="little")
    buffers = [pa.py_buffer(mask.tobytes()), pa.py_buffer(numbers.tobytes())]
    return pa.Array.from_buffers(pa.float64(), len(values), buffers)
