"""Which rows a judge's verdicts leave, and the numbers of its reliability: plain functions on rows.

Consistency is the share of pairs with the same verdict in both orders; Cohen's kappa of the two orders takes
out what chance alone would give. Where the data has labels, agreement with them is measured in the same way;
for pairs both orders count, so that a judge which always prefers the first answer agrees by chance only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptx import stats
from ptx.lm.evaluation.orders import TIE
from ptx.lm.making.answering import text_of
from ptx.stats.words import agreement as in_words
from ptx_label import Label

Row = dict[str, Any]
Verdicts = tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """A row and two answers to it; ``labelled``: the data prefers the first."""

    row: Row
    answers: tuple[Any, Any]
    labelled: bool

    @property
    def texts(self) -> tuple[str, str]:
        """The answers as the judge reads them."""
        return text_of(self.answers[0]), text_of(self.answers[1])


@dataclass(frozen=True)
class Judged:
    """A row and one answer to it, and the label that it has in the data."""

    row: Row
    answer: Any
    label: bool | None = None


def agreeing(maker: Label, one: Pair, both: Verdicts) -> list[Row]:
    """The row that a pair gives: none where the orders disagree, where one is missing, or for a tie."""
    first, second = both
    if math.isnan(first) or math.isnan(second) or first != second or first == TIE:
        return []
    if not one.labelled:
        chosen, rejected = one.answers if first > TIE else reversed(one.answers)
        return [{**one.row, "chosen": chosen, "rejected": rejected}]
    if first > TIE:
        return [one.row]
    return [exchanged(one.row)] if maker.disagree == "turn" else []


def exchanged(row: Row) -> Row:
    """The pair with its sides exchanged, and what is noted of either side (``score_chosen``)."""
    other = {"chosen": "rejected", "rejected": "chosen"}
    sides = {name: name.replace(side, other[side]) for name in row for side in other if side in name}
    return {name: row[sides.get(name, name)] if sides.get(name, name) in row else row[name] for name in row}


def settled(maker: Label, one: Judged, score: float, above: float) -> list[Row]:
    """The row that a judged answer gives: none without a score, or where the label is contradicted."""
    if math.isnan(score):
        return []
    good = score > above
    if one.label is not None and one.label != good and maker.disagree == "drop":
        return []
    return [{**one.row, "completion": one.answer, "label": good, "score": float(score)}]


def middle(bounds: tuple[float, float]) -> float:
    """The middle of a judge's scale; 0 where it has no ends."""
    low, high = bounds
    return (low + high) / 2 if math.isfinite(low) and math.isfinite(high) else 0.0


def numbers_of_pairs(
    said: Sequence[Verdicts], *, labelled: bool, ordered: bool
) -> tuple[dict[str, float], str]:
    """The judge's reliability over pairs that differ, as numbers and as a line.

    A judge that is not asked in an order (it scores each answer by itself) has no consistency.
    """
    known = [(a, b) for a, b in said if not (math.isnan(a) or math.isnan(b))]
    found = {"unscored": float(len(said) - len(known))}
    if not known:
        return found, "no verdict in both orders"
    found["ties"] = float(sum(a == b == TIE for a, b in known))
    words = f"{found['ties']:g} ties"
    if ordered:
        found["consistency"] = sum(a == b for a, b in known) / len(known)
        kappa = stats.cohen_kappa([a for a, _ in known], [b for _, b in known])
        found |= _known("kappa", kappa[0])
        words += f", consistency {found['consistency']:.1%}, {in_words('kappa', kappa, len(known))}"
    if labelled:
        decided = [a > TIE for a, b in known if a == b != TIE]
        # seen from the first answer shown: the data's label is first, then second
        shown = [1.0] * len(known) + [0.0] * len(known)
        agreed = stats.cohen_kappa(shown, [a for a, _ in known] + [1 - b for _, b in known])
        found |= _known("agreement", sum(decided) / len(decided) if decided else math.nan)
        found |= _known("label_kappa", agreed[0])
        words += f"; agrees with the data in {sum(decided)} of {len(decided)}"
    return found, words


def numbers_of_thumbs(
    judged: Sequence[Judged], scores: Sequence[float], above: float
) -> tuple[dict[str, float], str]:
    """The judge's scores, and its agreement with the labels that are there, as numbers and as a line."""
    known = [(one.label, score) for one, score in zip(judged, scores, strict=True) if not math.isnan(score)]
    found = {"unscored": float(len(judged) - len(known))}
    if not known:
        return found, "no score"
    good = [score > above for _, score in known]
    found |= {"mean_score": sum(score for _, score in known) / len(known), "good": sum(good) / len(good)}
    words = f"{sum(good)} of {len(good)} are good"
    labelled = [(label, one) for (label, _), one in zip(known, good, strict=True) if label is not None]
    if labelled:
        found["agreement"] = sum(label == one for label, one in labelled) / len(labelled)
        kappa = stats.cohen_kappa([label for label, _ in labelled], [one for _, one in labelled])
        found |= _known("label_kappa", kappa[0])
        words += f"; {in_words('kappa', kappa, len(labelled))} with the labels of the data"
    return found, words


def _known(name: str, value: float) -> dict[str, float]:
    return {} if math.isnan(value) else {name: value}
