"""report.parquet: the plain table of :mod:`ptx.report.formats.tables` for tools that read columns.

It has the columns of :func:`ptx.load_sweep`. A column has one type: numbers where all its values are, else
texts.
"""

from __future__ import annotations

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
        made[shared(name)] = pa.array([plain(one) for one in values] if is_text else values)
    file = pa.BufferOutputStream()
    parquet.write_table(pa.table(made), file)
    found: bytes = file.getvalue().to_pybytes()
    return found
