"""One sentence on forgetting: bits per byte of general text before and after training, and the KL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ptx.report.table.compare import Comparison, Comparisons
from ptx.report.table.frame import Frame
from ptx.report.table.row import Row
from ptx.report.table.units import Scale, scale_of
from ptx.stats import Verdict

BITS, KL = "forgetting/text/bits_per_byte", "forgetting/text/kl"
ORDER: tuple[Verdict, ...] = ("worse", "better", "same", "too few")
WORDS: dict[Verdict, str] = {
    "worse": "measurably worse",
    "better": "measurably better",
    "same": "not measurably different",
    "too few": "too few texts to say",
}


@dataclass(frozen=True)
class Change:
    """The change of a row on general text, compared with the model that it started from."""

    row: Row
    before: Row
    comparison: Comparison


def changes_of(frame: Frame, comparisons: Comparisons) -> list[Change]:
    """The changes of all rows with general text before and after; the largest losses first."""
    pairs = [(row, row.reference, comparisons.get((row.number, BITS, ""))) for row in frame.rows]
    found = [Change(row, before, one) for row, before, one in pairs if before is not None and one is not None]
    return sorted(found, key=lambda one: -one.comparison.difference.value)


def changes_text(frame: Frame, changes: Sequence[Change], most: int) -> str:
    """The changes as text, grouped by verdict, at most ``most`` per group.

    For example ``measurably worse: sft 0.452 → 0.598 (+0.146 [+0.131, +0.160], KL 0.338 nats/token); not
    measurably different: dpo ...``.
    """
    scale = scale_of(frame.sample(BITS).unit, frame.values(BITS))
    groups = []
    for verdict in ORDER:
        group = [change for change in changes if change.comparison.verdict == verdict]
        shown = [_change_text(frame, change, scale) for change in group[:most]]
        more = f" and {len(group) - most} more" if len(group) > most else ""
        groups += [f"{WORDS[verdict]}: {', '.join(shown)}{more}"] if shown else []
    return "; ".join(groups)


def _change_text(frame: Frame, change: Change, scale: Scale) -> str:
    before, after = change.before.metric(BITS), change.row.metric(BITS)
    gap = change.comparison.difference
    assert before is not None  # there is a comparison of both
    assert after is not None
    fine = scale.finer(gap.low, gap.high)
    text = f"{fine.number(gap.value, sign=True)} {fine.interval(gap.low, gap.high, sign=True)}"
    kl = change.row.metric(KL)
    text += f", KL {scale_of(kl.unit, frame.values(KL)).text(kl.value)}" if kl is not None else ""
    return f"{change.row.label} {scale.number(before.value)} → {scale.number(after.value)} ({text})"
