"""Training curves with axes, and the sentences that the field asks of them.

A margin that rises while the chosen answers become less likely, a reward that rises with the length of the
answers, a validation loss that rises again: each is said in words, since few readers look for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ptx.report.page.packed import packed
from ptx.report.table.frame import Frame
from ptx.report.table.labels import printable
from ptx.report.table.records import Record
from ptx.report.table.row import Row
from ptx.report.table.units import MINUS

MOST_POINTS, MOST_METRICS, MOST_STEPS = 240, 18, 60
#: what is shown first, and what is left out
FIRST = ("loss", "reward", "rewards/margins", "rewards/chosen", "eval_loss", "completions/mean_length")
LEFT_OUT = ("eta_seconds", "tokens", "tokens_per_second", "seconds", "texts", "layers", "layers_done")
LARGEST = 1e100  # beyond it, a curve cannot be drawn
Curve = list[tuple[float, float]]  # step, value
PART = 5  # the first and the last fifth of a curve are compared


def training_data(frame: Frame, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Every step that has logged, once, with the rows that share it."""
    place = {row.number: index for index, row in enumerate(frame.rows)}
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        for record in row.records:
            kinds = {
                str(step.get("name")): str(step.get("key"))
                for step in record.run.get("steps") or []
                if step.get("kind", "train") in ("train", "compress")
            }
            for step, curves in logged(record).items():
                if step not in kinds:
                    continue
                one = found.get(kinds[step]) or _step(step, record.seed, curves)
                if one["metrics"]:
                    found[kinds[step]] = one
                    one["rows"] = list(dict.fromkeys([*one["rows"], place[row.number]]))
    return list(found.values())[:MOST_STEPS]


def _step(name: str, seed: str, curves: Mapping[str, Curve]) -> dict[str, Any]:
    shown = [metric for metric in curves if len(curves[metric]) > 1 and metric not in LEFT_OUT]
    order = sorted(shown, key=lambda metric: FIRST.index(metric) if metric in FIRST else len(FIRST))
    return {
        "step": printable(name),
        "seed": seed,
        "rows": [],
        "said": sentences_of(curves),
        "metrics": [_curve(metric, curves[metric]) for metric in order[:MOST_METRICS]],
    }


def _curve(name: str, curve: Curve) -> dict[str, str]:
    every = max(1, -(-len(curve) // MOST_POINTS))
    kept = [point for index, point in enumerate(curve) if index % every == 0 or index == len(curve) - 1]
    return {
        "name": printable(name),
        "x": packed((x for x, _ in kept), 7),
        "y": packed((y for _, y in kept), 5),
    }


def sentences_of(curves: Mapping[str, Curve]) -> list[str]:
    """What a practitioner would remark about the curves of one step."""
    ends = {name: change for name, curve in curves.items() if (change := _change(curve))}
    found = [_margin(ends), _length(ends), _overfit(curves), _entropy(ends), _no_signal(ends)]
    return [text for text in found if text]


def _change(curve: Curve) -> tuple[float, float] | None:
    """The means of the first and the last fifth; None of a curve that is too short."""
    if len(curve) < PART:
        return None
    count = max(1, len(curve) // PART)
    values = [y for _, y in curve]
    return sum(values[:count]) / count, sum(values[-count:]) / count


def _margin(ends: Mapping[str, tuple[float, float]]) -> str:
    margin = ends.get("rewards/margins")
    for name, what in (("logps/chosen", "log-probability"), ("rewards/chosen", "reward")):
        chosen = ends.get(name)
        if margin and chosen and margin[1] > margin[0] and chosen[1] < chosen[0]:
            return (
                f"The margin rose ({_short(margin[0])} → {_short(margin[1])}) while the {what} of"
                " the chosen answers fell"
                f" ({_short(chosen[0])} → {_short(chosen[1])}): the rejected ones fell faster."
            )
    return ""


def _length(ends: Mapping[str, tuple[float, float]]) -> str:
    reward, length = ends.get("reward"), ends.get("completions/mean_length")
    if reward and length and reward[1] > reward[0] and length[1] > 1.2 * length[0] > 0:
        return (
            f"The reward rose ({_short(reward[0])} → {_short(reward[1])}) while the answers became longer"
            f" ({length[0]:.0f} → {length[1]:.0f} tokens): it may pay for length."
        )
    return ""


def _overfit(curves: Mapping[str, Curve]) -> str:
    values = [y for _, y in curves.get("eval_loss", [])]
    if len(values) > 2 and values[-1] > 1.02 * min(values):
        lowest = curves["eval_loss"][values.index(min(values))][0]
        return (
            f"The validation loss was lowest at step {lowest:g} ({_short(min(values))}) and rose to"
            f" {_short(values[-1])}: fewer steps would have been enough."
        )
    return ""


def _entropy(ends: Mapping[str, tuple[float, float]]) -> str:
    entropy, reward = ends.get("entropy"), ends.get("reward")
    if entropy and reward and 0 < entropy[1] < 0.2 * entropy[0]:
        return f"The entropy fell to {entropy[1] / entropy[0]:.0%} of its start: the policy hardly explores."
    return ""


def _no_signal(ends: Mapping[str, tuple[float, float]]) -> str:
    zero = ends.get("frac_reward_zero_std")
    if zero and zero[1] > 0.5:
        return f"At the end {zero[1]:.0%} of the groups had equal rewards: they teach nothing."
    return ""


def logged(record: Record) -> dict[str, dict[str, Curve]]:
    """Label -> metric -> [(step, value)]; values that are not finite numbers are left out."""
    found: dict[str, dict[str, Curve]] = {}
    for event in record.events():
        if event.get("event") != "log" or not isinstance(event.get("metrics"), dict):
            continue
        for name, value in event["metrics"].items():
            if _drawable(value) and _drawable(event.get("step") or 0):
                curves = found.setdefault(str(event.get("label") or "run"), {})
                curves.setdefault(str(name), []).append((float(event.get("step") or 0), float(value)))
    return found


def _drawable(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) < LARGEST


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", MINUS)
