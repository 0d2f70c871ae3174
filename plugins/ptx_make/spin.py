"""``make=spin``: the data's answers against the model's own (Chen et al. 2024)."""

from __future__ import annotations

from ptx import DataRef, DataSet, ModelRef, Run
from ptx.lm.making.answering import answered, beside, drawn, reply, text_of, usable
from ptx_make import Spin


def spin(run: Run, maker: Spin, model: ModelRef, data: DataSet) -> DataRef:
    """Write a pair for every row whose answer differs from the model's own, which must have ended."""
    found = data.rows(data.require(maker.needs, "make=spin"))
    rows = [row for row in map(answered, found) if row][: maker.limit]
    own = [one for (one,) in drawn(run, maker, model, rows, 1)]
    equal = [one.strip() == text_of(row["chosen"]).strip() for row, one in zip(rows, own, strict=True)]
    made = [
        {"prompt": row["prompt"], "chosen": row["chosen"], "rejected": reply(row, str(one)), **beside(row)}
        for row, one, same in zip(rows, own, equal, strict=True)
        if usable(one) and not same
    ]
    counts = {
        "rows_in": len(rows),
        "unfinished": sum(not one.finished for one in own),
        "equal": sum(equal),
        "tokens": sum(one.tokens for one in own),
    }
    run.log({name: float(value) for name, value in counts.items()}, len(rows), len(rows))
    return DataRef.write(run.folder / "data", {"pairs": made})
