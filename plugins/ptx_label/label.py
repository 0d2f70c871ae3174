"""``make=label``: the answers that are judged, the judge's verdicts, and the rows that are kept."""

from __future__ import annotations

from typing import Any

from ptx import DataRef, DataSet, ModelRef, Run
from ptx.lm.evaluation.orders import verdicts
from ptx.lm.making.answering import answered, beside, drawn, reply, text_of, usable
from ptx.lm.training.rows import prompt_turns
from ptx_label import Label
from ptx_label.kept import Judged, Pair, agreeing, middle, numbers_of_pairs, numbers_of_thumbs, settled

Row = dict[str, Any]


def label(run: Run, maker: Label, model: ModelRef, data: DataSet) -> DataRef:
    """Write the pairs or thumbs that the judge's verdicts give."""
    shape = data.require(maker.needs, "make=label")
    rows = data.rows(shape)
    rows = [row for row in map(answered, rows) if row] if shape in ("completions", "messages") else rows
    rows = rows[: maker.limit]
    make = _pairs if maker.kept(shape) == "pairs" else _thumbs
    made, counts = make(run, maker, model, shape, rows)
    numbers = {"rows_in": float(len(rows)), **counts}
    run.log(numbers, len(rows), len(rows))
    return DataRef.write(run.folder / "data", {maker.kept(shape): made})


def _pairs(
    run: Run, maker: Label, model: ModelRef, shape: str, rows: list[Row]
) -> tuple[list[Row], dict[str, float]]:
    pairs, counts = _two_answers(run, maker, model, shape, rows)
    differ = [one for one in pairs if one.texts[0].strip() != one.texts[1].strip()]
    judge = run.config.scorer[maker.scorer]
    ours, theirs = ([one.texts[side] for one in differ] for side in (0, 1))
    prompts = [_asked(one.row) for one in differ]
    references = [_reference(one.row) for one in differ]
    said = verdicts(run, judge, prompts, ours, theirs, references, maker.margin) if differ else []
    found, words = numbers_of_pairs(said, labelled=shape == "pairs", ordered=judge.comparing() is not None)
    run.say(f"{maker.scorer} judged {len(differ)} pairs: {words}")
    made = [row for one, both in zip(differ, said, strict=True) for row in agreeing(maker, one, both)]
    return made, {**counts, "same": float(len(pairs) - len(differ)), **found}


def _two_answers(
    run: Run, maker: Label, model: ModelRef, shape: str, rows: list[Row]
) -> tuple[list[Pair], dict[str, float]]:
    """Two answers to each row: of the data, of the model, or one of each."""
    if shape == "pairs":
        return [Pair(row, (row["chosen"], row["rejected"]), labelled=True) for row in rows], {}
    own = drawn(run, maker, model, rows, 2 if shape == "prompts" else 1)
    answers = [one for group in own for one in group]
    counts = {
        "unfinished": float(sum(not one.finished for one in answers)),
        "tokens": float(sum(one.tokens for one in answers)),
    }
    pairs = []
    for row, group in zip(rows, own, strict=True):
        if all(map(usable, group)):
            made = [reply(row, str(one)) for one in group]
            first, second = made if len(made) == 2 else (row["chosen"], *made)
            pairs.append(Pair({"prompt": row["prompt"], **beside(row)}, (first, second), labelled=False))
    return pairs, counts


def _thumbs(
    run: Run, maker: Label, model: ModelRef, shape: str, rows: list[Row]
) -> tuple[list[Row], dict[str, float]]:
    judged, counts = _single_answers(run, maker, model, shape, rows)
    prompts = [_asked(one.row) for one in judged]
    texts = [text_of(one.answer) for one in judged]
    references = [_reference(one.row) for one in judged]
    scores = run.score(maker.scorer, prompts, texts, references) if judged else []
    above = middle(run.config.scorer[maker.scorer].bounds) if maker.above is None else maker.above
    found, words = numbers_of_thumbs(judged, scores, above)
    run.say(f"{maker.scorer} judged {len(judged)} answers, good above {above:g}: {words}")
    made = [
        row for one, score in zip(judged, scores, strict=True) for row in settled(maker, one, score, above)
    ]
    return made, {**counts, **found}


def _single_answers(
    run: Run, maker: Label, model: ModelRef, shape: str, rows: list[Row]
) -> tuple[list[Judged], dict[str, float]]:
    """The answers that are judged each by itself; thumbs of the data have a label."""
    if shape == "thumbs":
        return [Judged(row, row["completion"], row["label"]) for row in rows], {}
    if shape == "pairs":
        return [Judged(_alone(row), row[side]) for row in rows for side in ("chosen", "rejected")], {}
    if shape in ("completions", "messages"):
        return [Judged(_alone(row), row["chosen"]) for row in rows], {}
    own = [one for (one,) in drawn(run, maker, model, rows, 1)]
    counts = {
        "unfinished": float(sum(not one.finished for one in own)),
        "tokens": float(sum(one.tokens for one in own)),
    }
    made = [
        Judged(_alone(row), reply(row, str(one))) for row, one in zip(rows, own, strict=True) if usable(one)
    ]
    return made, counts


def _alone(row: Row) -> Row:
    return {"prompt": row["prompt"], **beside(row)}


def _asked(row: Row) -> Any:
    return row["prompt"] if isinstance(row["prompt"], str) else prompt_turns(row)


def _reference(row: Row) -> str | None:
    return None if row.get("answer") is None else str(row["answer"])
