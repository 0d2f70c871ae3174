"""Which of the scored answers to a prompt are kept, and as what: plain functions on rows."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ptx.lm.making.answering import beside, reply
from ptx.lm.training.rows import prompt_turns
from ptx_make import Sample

Row = dict[str, Any]


class Scored(NamedTuple):
    """An answer; ``score`` is nan where it has none, and 1 where nobody scores."""

    text: str
    score: float
    tokens: int
    finished: bool

    @property
    def usable(self) -> bool:
        """Whether it may be learnt: it ended, says something, and has a score."""
        return self.finished and bool(self.text.strip()) and not math.isnan(self.score)


def kept(maker: Sample, row: Row, group: list[Scored]) -> list[Row]:
    """The rows that the answers to one prompt give."""
    usable = [one for one in group if one.usable]
    if maker.keep == "prompts":
        return _suited(maker, row, group)
    make = {"messages": _best, "pairs": _pair, "thumbs": _verdicts}[maker.keep]
    return make(maker, row, usable)


def good(maker: Sample, one: Scored) -> bool:
    """Whether an answer counts as good."""
    return one.usable and (maker.above is None or not maker.scorer or one.score > maker.above)


def _best(maker: Sample, row: Row, usable: list[Scored]) -> list[Row]:
    """The best answers, each text once; of equal scores the first."""
    ranked = sorted((one for one in usable if good(maker, one)), key=lambda one: -one.score)
    distinct = {one.text.strip(): one for one in reversed(ranked)}
    chosen = sorted(distinct.values(), key=lambda one: (-one.score, ranked.index(one)))[: maker.top]
    asked = prompt_turns(row)
    return [
        {
            "messages": [*asked, {"role": "assistant", "content": one.text}],
            **_scored(maker, one),
            **beside(row),
        }
        for one in chosen
    ]


def _scored(maker: Sample, one: Scored) -> Row:
    return {"score": one.score} if maker.scorer else {}


def _pair(maker: Sample, row: Row, usable: list[Scored]) -> list[Row]:
    """The best and the worst answer, where their scores differ by more than the margin."""
    if not usable:
        return []
    best, worst = max(usable, key=lambda one: one.score), min(usable, key=lambda one: one.score)
    if not best.score - worst.score > maker.margin or best.text.strip() == worst.text.strip():
        return []
    sides = {"chosen": reply(row, best.text), "rejected": reply(row, worst.text)}
    scores = {"score_chosen": best.score, "score_rejected": worst.score}
    return [{"prompt": row["prompt"], **sides, **scores, **beside(row)}]


def _verdicts(maker: Sample, row: Row, usable: list[Scored]) -> list[Row]:
    """Every answer, each text once, with whether it is good."""
    distinct = {one.text.strip(): one for one in reversed(usable)}
    return [
        {
            "prompt": row["prompt"],
            "completion": reply(row, one.text),
            "label": good(maker, one),
            "score": one.score,
            **beside(row),
        }
        for one in reversed(distinct.values())
    ]


def _suited(maker: Sample, row: Row, group: list[Scored]) -> list[Row]:
    """The prompt itself, where the model solves it sometimes; an answer that did not end solves nothing."""
    share = sum(good(maker, one) for one in group) / len(group)
    low, high = maker.solved
    return [{"prompt": row["prompt"], **beside(row), "solved": share}] if low < share < high else []
