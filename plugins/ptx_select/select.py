"""``make=select``: which rows are kept, in their order."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from ptx import DataRef, DataSet, ModelRef, Run, StepError
from ptx.lm.progress import Pace
from ptx.lm.serving.packages import opened
from ptx.stats.near import distinct, far
from ptx.stats.ngrams import known_of, sharing, texts_at
from ptx_select import Select
from ptx_select.scores import content_of, reply_of, scored

Row = dict[str, Any]
CHUNK = 256  # rows per call of the runtime; progress is shown after each


def select(run: Run, maker: Select, model: ModelRef, data: DataSet) -> DataRef:
    """Write the rows that are kept."""
    shape = data.require(maker.needs, "make=select")
    rows = data.rows(shape)
    kept, numbers = _kept(run, maker, model, shape, rows)
    run.log({"rows_in": float(len(rows)), "dropped": float(len(rows) - len(kept)), **numbers}, 1, 1)
    return DataRef.write(run.folder / "data", {shape: [rows[place] for place in kept]})


def _kept(
    run: Run, maker: Select, model: ModelRef, shape: str, rows: Sequence[Row]
) -> tuple[list[int], dict[str, float]]:
    """The places of the rows that are kept, and numbers for the report."""
    contents = [content_of(shape, row) for row in rows]
    if maker.by in ("exact", "minhash", "overlap"):
        good = _good(maker, contents)
        return fewer(maker, [place for place, one in enumerate(good) if one]), {}
    if maker.by == "random":
        order = random.Random(run.seed).sample(range(len(rows)), len(rows))  # noqa: S311 (not a secret)
        return sorted(order[: room(maker, len(rows))]), {}
    values = (
        [float(len(reply_of(row))) for row in rows]
        if maker.by == "length"
        else _scores(run, maker, model, rows)
    )
    known = [value for value in values if not math.isnan(value)]
    numbers = {
        f"mean_{maker.by}": sum(known) / len(known) if known else math.nan,
        "unscored": float(len(values) - len(known)),
    }
    return ranked(maker, values), numbers


def _good(maker: Select, contents: Sequence[list[str]]) -> list[bool]:
    """Whether each row may stay, by a rule that drops rows."""
    if maker.by == "overlap":
        try:
            known = known_of([text for path in maker.inputs() for text in texts_at(path)], maker.n)
        except ValueError as error:
            raise StepError(f"make.against: {error}") from error
        return [not shared for shared in sharing(contents, known, maker.n)]
    texts = ["\n".join(content) for content in contents]
    return distinct(texts) if maker.by == "exact" else far(texts, maker.threshold)


def room(maker: Select, total: int) -> int:
    """How many rows may be kept."""
    of_share = total if maker.share is None else max(1, round(maker.share * total))
    return min(total if maker.count is None else maker.count, of_share)


def fewer(maker: Select, places: list[int]) -> list[int]:
    """The first of the places, as many as may be kept."""
    return places[: room(maker, len(places))]


def ranked(maker: Select, values: Sequence[float]) -> list[int]:
    """The places within the band; where too many are left, those with the largest values, in their order."""
    ceiling = 1.0 if maker.high is None and maker.by in ("ifd", "ifd_ppl") else maker.high
    inside = [
        place
        for place, value in enumerate(values)
        if not math.isnan(value)
        and (maker.low is None or value >= maker.low)
        and (ceiling is None or value <= ceiling)
    ]
    best = sorted(inside, key=lambda place: (-values[place], place))
    return sorted(best[: room(maker, len(values))])


def _scores(run: Run, maker: Select, model: ModelRef, rows: Sequence[Row]) -> list[float]:
    found: list[float] = []
    pace = Pace(run)
    with opened(run, model) as lm:
        for start in range(0, len(rows), CHUNK):
            found += scored(lm, maker.by, rows[start : start + CHUNK])
            pace.log({"rows": float(len(found))}, len(found), len(rows))
    return found
