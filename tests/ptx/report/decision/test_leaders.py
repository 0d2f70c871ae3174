"""Best, smallest and fastest: claimed only where the measurement supports it."""

from __future__ import annotations

import pytest

from benchmarks.coverage import praise
from ptx.report import load_records, make_frame
from ptx.report.decision.leaders import best, fastest, smallest
from ptx.report.table.compare import compare_all


def found(new_sweep, *runs, baseline=True):
    sweep = new_sweep()
    if baseline:
        sweep.run({}, skill=0.5, baseline=True)
    for name, options in runs:
        sweep.run({"method": name}, **options)
    frame = make_frame(load_records([sweep.folder]))
    return frame, compare_all(frame)


def test_a_clear_winner_is_the_best_and_is_sure(new_sweep):
    frame, _ = found(new_sweep, ("sft", {"skill": 0.95}))
    leader = best(frame)
    assert leader is not None
    assert (leader.row.label, leader.sure, leader.peers) == ("sft", True, [])


def test_a_lead_within_noise_is_not_sure_and_names_its_peers(new_sweep):
    frame, _ = found(new_sweep, ("sft", {"skill": 0.8}), ("dpo", {"skill": 0.8}))
    leader = best(frame)
    assert leader is not None
    assert not leader.sure
    assert [leader.row.label, *(row.label for row in leader.peers)] in (["sft", "dpo"], ["dpo", "sft"])


def test_a_row_of_the_baselines_size_is_not_smaller(new_sweep):
    frame, comparisons = found(new_sweep, ("sft", {"skill": 0.8, "size": 9_830_000}))
    leader = smallest(frame, comparisons)
    assert leader is not None
    assert not leader.sure


def test_the_smallest_keeps_its_quality(new_sweep):
    frame, comparisons = found(
        new_sweep,
        ("sft", {"skill": 0.9, "size": 4_000_000}),
        ("dpo", {"skill": 0.05, "size": 1_000_000}),
    )
    leader = smallest(frame, comparisons)
    assert leader is not None
    assert (leader.row.label, leader.sure) == ("sft", True)


def test_twice_as_fast_is_fastest_and_the_same_speed_is_not(new_sweep):
    frame, comparisons = found(new_sweep, ("sft", {"milliseconds": 4.0}))
    leader = fastest(frame, comparisons)
    assert leader is not None
    assert (leader.row.label, leader.sure) == ("sft", True)


@pytest.mark.parametrize("kind", ["binary", "real"])
def test_of_identical_models_none_is_praised(kind):
    assert praise(5, 30, kind, 80)[0] <= 0.05
