"""What training has cost elsewhere, in one sentence: general text before and after, and how far each model
has moved on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptx.report.table.compare import Comparison, Comparisons
from ptx.report.table.frame import Frame
from ptx.report.table.row import Row
from ptx.report.table.units import Scale, scale_of
from ptx.stats import Verdict

BITS, KL = "forgetting/text/bits_per_byte", "forgetting/text/kl"
ORDER: tuple[Verdict, ...] = ("worse", "better", "same")
WORDS: dict[Verdict, str] = {
    "worse": "measurably worse",
    "better": "measurably better",
    "same": "not measurably different",
}


@dataclass(frozen=True)
class Moved:
    """A row that was held against the model that it started from."""

    row: Row
    before: Row
    comparison: Comparison


def moved(frame: Frame, comparisons: Comparisons) -> list[Moved]:
    """The rows with general text before and after, those that lose most first."""
    pairs = [(row, row.reference, comparisons.get((row.number, BITS, ""))) for row in frame.rows]
    found = [Moved(row, before, one) for row, before, one in pairs if before is not None and one is not None]
    return sorted(found, key=lambda one: -one.comparison.difference.value)


def parts(frame: Frame, found: Sequence[Moved], most: int) -> str:
    """``measurably worse: sft 0.452 → 0.598 (+0.146 [+0.131, +0.160], KL 0.338 nats/token); not measurably
    different: dpo ...``.
    """
    scale = scale_of(frame.sample(BITS).unit, frame.values(BITS))
    groups = []
    for verdict in ORDER:
        alike = [one for one in found if one.comparison.verdict == verdict]
        told = [_one(frame, one, scale) for one in alike[:most]]
        more = f" and {len(alike) - most} more" if len(alike) > most else ""
        groups += [f"{WORDS[verdict]}: {', '.join(told)}{more}"] if told else []
    return "; ".join(groups)


def _one(frame: Frame, one: Moved, scale: Scale) -> str:
    before, after, gap = one.before.metric(BITS), one.row.metric(BITS), one.comparison.difference
    assert before is not None  # the comparison was made of both
    assert after is not None
    text = f"{scale.number(gap.value, sign=True)} {scale.interval(gap.low, gap.high, sign=True)}"
    far = one.row.metric(KL)
    text += f", KL {scale_of(far.unit, frame.values(KL)).text(far.value)}" if far is not None else ""
    return f"{one.row.label} {scale.number(before.value)} → {scale.number(after.value)} ({text})"
