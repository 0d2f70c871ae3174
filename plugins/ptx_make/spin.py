"""``make=spin``: the data's answers against the model's own (Chen et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ptx import DataRef, DataSet, LanguageModel, ModelRef, Run
from ptx.lm.serving.packages import opened
from ptx_make import Spin
from ptx_make.answering import answer, beside, reply
from ptx_make.chunks import in_chunks

Row = dict[str, Any]


def spin(run: Run, maker: Spin, model: ModelRef, data: DataSet) -> DataRef:
    """Write a pair for every row whose answer differs from the model's own, which must have ended."""
    rows = [row for row in map(_split, _rows(data)) if row][: maker.limit]
    with opened(run, run.models.get("model", model)) as lm:
        found = in_chunks(run, "prompts", rows, maker.chunk, lambda part, seed: _own(lm, maker, part, seed))
    made = [
        {"prompt": row["prompt"], "chosen": row["chosen"], "rejected": reply(row, own["text"]), **beside(row)}
        for row, own in zip(rows, found, strict=True)
        if own["finished"] and own["text"].strip() not in ("", _text(row["chosen"]))
    ]
    counts = {
        "rows_in": len(rows),
        "unfinished": sum(not own["finished"] for own in found),
        "equal": sum(
            own["text"].strip() == _text(row["chosen"]) for row, own in zip(rows, found, strict=True)
        ),
        "tokens": sum(own["tokens"] for own in found),
    }
    run.log({name: float(value) for name, value in counts.items()}, len(rows), len(rows))
    return DataRef.write(run.folder / "data", {"pairs": made})


def _own(lm: LanguageModel, maker: Spin, rows: Sequence[Row], seed: int) -> list[Row]:
    groups = answer(lm, maker, rows, 1, seed)
    return [{"text": str(one), "tokens": one.tokens, "finished": one.finished} for (one,) in groups]


def _rows(data: DataSet) -> list[Row]:
    return data.rows(data.require(Spin.needs, "make=spin"))


def _split(row: Row) -> Row:
    """The row as prompt and chosen answer; empty where a conversation holds nothing but an answer."""
    if "completion" in row:
        return {"prompt": row["prompt"], "chosen": row["completion"], **beside(row)}
    turns = row["messages"]
    return {"prompt": turns[:-1], "chosen": turns[-1:], **beside(row)} if len(turns) > 1 else {}


def _text(chosen: Any) -> str:
    return str(chosen if isinstance(chosen, str) else chosen[-1]["content"]).strip()
