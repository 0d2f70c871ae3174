"""What to ship, against the rule word by word on a thousand random sweeps."""

from __future__ import annotations

import math
import random

from ptx.report.decision.cards import within_noise
from ptx.report.gate import Constraint, Gate
from ptx.report.text.spans import words_of
from tests.ptx.report.decision.worlds import QUALITY, RATIO, SIZE, decided, model, random_world


def holds(row, base, name):
    """What a constraint of the usual gate says, from the raw numbers: True, False, or None (undecided)."""
    metric, other = row.metric(name), base.metric(name)
    if metric is None or other is None:
        return None
    if name == SIZE:
        return metric.value / other.value <= 1.005
    if name == RATIO:
        return True if metric.high <= 1.1 else False if metric.low > 1.1 else None
    gap = metric.value - other.value
    low = gap - math.hypot(metric.value - metric.low, other.high - other.value)
    high = gap + math.hypot(metric.high - metric.value, other.value - other.low)
    return True if low >= -0.02 else False if high < -0.02 else None


def plain_pick(frame, comparisons):
    """The rule of ``decide.py``, slowly."""
    base, fit = frame.rows[0], []
    for row in frame.rows[1:]:
        if row.status != "done" or holds(row, base, QUALITY) is not True:
            continue
        if holds(row, base, SIZE) is False or holds(row, base, RATIO) is False:
            continue
        marks = [comparisons.get((row.number, name, "")) for name in (QUALITY, SIZE, RATIO)]
        if any(one is not None and one.verdict == "better" for one in marks):
            fit.append(row)
    if not fit:
        return None
    near = [row for row in fit if row in within_noise(frame)]
    top = near or [max(fit, key=lambda row: row.metric(QUALITY).value)]
    sized = [row for row in top if row.metric(SIZE)]
    if sized:
        least = min(row.metric(SIZE).value for row in sized)
        top = [row for row in sized if row.metric(SIZE).value <= least * 1.005]
    quick = [
        row for row in top if (one := comparisons.get((row.number, RATIO, ""))) and one.verdict == "better"
    ]
    if quick:
        return min(quick, key=lambda row: row.metric(RATIO).value)
    return max(top, key=lambda row: row.metric(QUALITY).value)


def test_a_thousand_random_sweeps_are_decided_as_the_rule_says():
    generator, shipped = random.Random(15), 0
    for _ in range(1000):
        frame, comparisons, decision = decided(*random_world(generator))
        wanted = plain_pick(frame, comparisons)
        assert decision.pick is wanted
        sentence = words_of(decision.sentence)
        shipped += wanted is not None
        assert sentence.startswith(
            f"Ship {wanted.label}: " if wanted else ("Ship nothing yet: ", "One model, ")
        )
        base = frame.rows[0]
        for line in decision.matrix.lines:
            names = {"quality": QUALITY, "size": SIZE, "latency": RATIO}
            signs = {True: "✓", False: "✗", None: "?"}
            for (head, _, _), cell in zip(decision.matrix.heads, line.cells, strict=True):
                assert cell.sign == signs[holds(line.row, base, names[head])], (head, cell.note)
    assert 200 < shipped < 900


def test_of_the_models_within_noise_of_the_best_the_smallest_is_shipped():
    _, _, decision = decided(
        model("baseline", 0.5, 1e6, 1.0, baseline=True),
        model("big", 0.7, 1e6, 1.0),
        model("small", 0.695, 3e5, 1.0),
    )
    assert decision.pick.label == "small"


def test_what_was_not_measured_is_said_and_does_not_stop_the_recommendation():
    _, _, decision = decided(model("baseline", 0.5, 1e6, 1.0, baseline=True), model("small", 0.7, 3e5))
    assert decision.pick.label == "small"
    assert "Not yet sure: latency was not measured; add latency to eval=[...]." in words_of(decision.sentence)


def test_a_named_gate_ships_only_what_keeps_all_of_it():
    gate = Gate("mine", {"fast": Constraint(RATIO, at_most=0.8), "good": Constraint(QUALITY, at_least=0.6)})
    base = model("baseline", 0.5, 1e6, 1.0, baseline=True)
    _, _, decision = decided(base, model("slow", 0.7, 3e5, 1.0), model("quick", 0.65, 1e6, 0.5), gate=gate)
    assert decision.pick.label == "quick"
    assert "keeps all 2 constraints of gate mine" in words_of(decision.sentence)
    _, _, decision = decided(base, model("slow", 0.7, 3e5, 1.0), gate=gate)
    assert decision.pick is None
    assert "no model keeps gate mine. Nearest is slow" in words_of(decision.sentence)
