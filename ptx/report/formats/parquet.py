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

    def plain(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in texts:
            texts[value] = shared(value)
        return texts[value]

    made = {plain(name): pa.array([plain(one) for one in values]) for name, values in columns.items()}
    file = pa.BufferOutputStream()
    parquet.write_table(pa.table(made), file)
    found: bytes = file.getvalue().to_pybytes()
    return found
