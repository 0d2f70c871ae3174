"""Gates: what holds is shown by its interval, and what was not measured never passes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ptx.errors import ConfigError
from ptx.report import load_records, make_frame
from ptx.report.gate import Constraint, Gate, judge, ships
from ptx.report.gate_reader import load_gate, make_gate
from ptx.stats import quantile_interval


def row_of(tmp_path, *values, statuses=("done",), baseline=None, low=0.05, name="bench/mean"):
    """A frame's row from records as they lie on the disk; ``values`` per seed."""
    write(tmp_path / "base", True, 0, baseline, 0.0, name) if baseline is not None else None
    for seed, value in enumerate(values):
        write(tmp_path / f"run-{seed}", False, seed, value, low, name, statuses[min(seed, len(statuses) - 1)])
    return next(row for row in make_frame(load_records([tmp_path])).rows if not row.baseline)


def write(folder, baseline, seed, value, half, name, status="done"):
    folder.mkdir()
    config = {"method": None if baseline else {"choice": "sft"}, "runtime": "hf", "eval": {}}
    run = {
        "id": folder.name,
        "label": folder.name,
        "baseline": baseline,
        "seed": seed,
        "config": config,
        "model": {"digest": "d"},
    }
    (folder / "run.json").write_text(json.dumps({**run, "varied": {"method": "sft"}}))
    metric = {
        "name": name,
        "value": value,
        "unit": "",
        "better": "higher",
        "low": value - half,
        "high": value + half,
        "n": 100,
    }
    result = {"status": status, "metrics": [metric] if status == "done" else [], "error": None}
    (folder / "result.json").write_text(json.dumps(result))


def verdict(row, **constraint):
    return judge(Gate("g", {"c": Constraint("bench/mean", **constraint)}), row)[0].verdict


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ({"at_least": 0.5}, "holds"),
        ({"at_least": 0.6}, "undecided"),
        ({"at_least": 0.7}, "fails"),
        ({"at_most": 0.7}, "holds"),
        ({"at_most": 0.6}, "undecided"),
        ({"at_most": 0.5}, "fails"),
    ],
)
def test_the_whole_interval_has_to_lie_on_the_right_side(tmp_path, bound, expected):
    assert verdict(row_of(tmp_path, 0.6), **bound) == expected


def test_the_value_decides_where_the_gate_says_so(tmp_path):
    row = row_of(tmp_path, 0.6)
    assert verdict(row, at_least=0.58, decide="value") == "holds"
    assert verdict(row, at_least=0.62, decide="value") == "fails"


def test_an_end_that_touches_the_bound_holds(tmp_path):
    assert verdict(row_of(tmp_path, 0.5, low=0.0), at_most=0.5) == "holds"


def test_a_metric_that_was_not_measured_is_never_passed(tmp_path):
    gate = Gate(
        "g",
        {"seen": Constraint("bench/mean", at_least=0.1), "unseen": Constraint("bench/meen", at_least=0.1)},
    )
    findings = judge(gate, row_of(tmp_path, 0.6))
    assert [finding.verdict for finding in findings] == ["holds", "undecided"]
    assert "not measured; did you mean 'bench/mean'?" in str(findings[1])
    assert not ships(findings)


def test_a_run_without_results_does_not_ship(tmp_path):
    assert not ships(
        judge(
            Gate("g", {"c": Constraint("bench/mean", at_most=9)}), row_of(tmp_path, 0.6, statuses=("failed",))
        )
    )


def test_a_seed_that_failed_leaves_the_model_undecided(tmp_path):
    row = row_of(tmp_path, 0.6, 0.6, statuses=("done", "failed"))
    findings = judge(Gate("g", {"c": Constraint("bench/mean", at_most=9)}), row)
    assert findings[-1].note == "only 1 of 2 seeds have results"
    assert not ships(findings)


def test_a_bound_against_the_baseline_is_on_the_difference(tmp_path):
    row = row_of(tmp_path, 0.6, baseline=0.5)
    assert verdict(row, at_least=0.02, versus="baseline") == "holds"
    assert verdict(row, at_least=0.09, versus="baseline") == "undecided"
    assert verdict(row, at_least=0.2, versus="baseline") == "fails"


def test_the_difference_is_paired_by_item_where_there_are_items(tmp_path):
    easy = [0.2 + 0.6 * (item % 2) for item in range(100)]
    row = row_of(tmp_path, 0.53, baseline=0.5)
    assert verdict(row, at_least=0.02, versus="baseline") == "undecided"
    for folder, gain in (("base", 0.0), ("run-0", 0.03)):
        rows = [
            {"item": str(i), "scores": {"bench/mean": score + gain + 0.01 * (i % 3 - 0.99) * bool(gain)}}
            for i, score in enumerate(easy)
        ]
        (tmp_path / folder / "evaluations").mkdir()
        (tmp_path / folder / "evaluations" / "bench.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows)
        )
        result = json.loads((tmp_path / folder / "result.json").read_text())
        result["metrics"][0]["value"] = sum(row["scores"]["bench/mean"] for row in rows) / 100
        (tmp_path / folder / "result.json").write_text(json.dumps(result))
    row = next(row for row in make_frame(load_records([tmp_path])).rows if not row.baseline)
    assert verdict(row, at_least=0.02, versus="baseline") == "holds"


def test_without_a_baseline_a_difference_is_not_decided(tmp_path):
    row = row_of(tmp_path, 0.6)
    assert verdict(row, at_least=0.0, versus="baseline") == "undecided"


def test_an_empty_gate_ships_nothing():
    assert not ships([])


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ({"at_least": 0.5}, -0.1),
        ({"at_least": 1.1}, 0.5),
        ({"at_most": 1.3}, -0.5),
        ({"at_least": 0.5, "decide": "value"}, -0.2),
    ],
)
def test_a_violation_is_in_units_of_the_bound_and_not_positive_when_it_holds(tmp_path, bound, expected):
    found = judge(Gate("g", {"c": Constraint("bench/mean", **bound)}), row_of(tmp_path, 0.6))[0]
    assert found.violation == pytest.approx(expected) or (
        bound.get("at_most") and found.violation == pytest.approx(-0.5)
    )


def test_an_undecided_constraint_counts_as_violated_for_an_optimiser(tmp_path):
    row = row_of(tmp_path, 0.6, low=math.inf)
    finding = judge(Gate("g", {"c": Constraint("bench/mean", at_least=0.5)}), row)[0]
    assert finding.verdict == "undecided"
    assert 0 < finding.violation < 0.001
    assert judge(Gate("g", {"c": Constraint("nothing/here", at_least=0.5)}), row)[0].violation > 0


def test_all_problems_of_a_gate_are_reported_at_once():
    given = {
        "a": {"metric": "m", "at_least": 1, "at_most": 2},
        "b": {"at_leest": 1},
        "c": {"metric": "m", "at_most": "low", "versus": "best"},
        "d": 3,
    }
    with pytest.raises(ConfigError) as caught:
        make_gate("mine", given)
    for part in (
        "gate mine.a needs one bound, got 2",
        "gate mine.b has no field 'at_leest'; did you mean 'at_least'?",
        "gate mine.b names no metric",
        "gate mine.c.at_most must be a number, got 'low'",
        "gate mine.c.versus is 'best'; it can be baseline",
        "gate mine.d must be a mapping, got 3",
    ):
        assert part in str(caught.value)


GATES = sorted(path.stem for path in (Path(__file__).parents[3] / "conf" / "gate").glob("*.yaml"))


@pytest.mark.parametrize("name", GATES)
def test_every_packaged_gate_reads_and_gives_its_reasons(name, toy_host, desk):
    gate = load_gate(toy_host, name)
    assert gate.constraints
    assert all(constraint.why for constraint in gate.constraints.values())


def test_a_gate_of_the_user_wins_over_the_packaged_one(toy_host, desk):
    (desk / "conf" / "gate").mkdir(parents=True)
    (desk / "conf" / "gate" / "ship.yaml").write_text("only: {metric: a/b, at_least: 1}\n")
    assert list(load_gate(toy_host, "ship").constraints) == ["only"]


def test_a_gate_is_a_file_too_and_a_bound_can_be_changed(toy_host, desk):
    (desk / "my.yaml").write_text("fast: {metric: latency/p95_seconds, at_most: 2}\n")
    assert load_gate(toy_host, "./my.yaml", {"fast.at_most": 1.5}).constraints["fast"].at_most == 1.5
    with pytest.raises(ConfigError, match="gate my has no constraint 'fats'; did you mean 'fast'"):
        load_gate(toy_host, "./my.yaml", {"fats.at_most": 1})
    with pytest.raises(ConfigError, match=r"no gate file .*lost.yaml"):
        load_gate(toy_host, "./lost.yaml")


def one_metric(tmp_path, name, value, low, high, n=100, unit="", baseline=None):
    """A row that measured one metric, beside a baseline that measured ``baseline``."""
    for folder, metric in (("base", baseline), ("run", (value, low, high, n))):
        if metric is not None:
            write(tmp_path / folder, folder == "base", 0, 0.0, 0.0, name)
            path = tmp_path / folder / "result.json"
            numbers = dict(zip(("value", "low", "high", "n"), metric, strict=True))
            entry = {"name": name, "unit": unit, "better": "lower", **numbers}
            path.write_text(json.dumps({"status": "done", "metrics": [entry]}))
    return next(row for row in make_frame(load_records([tmp_path])).rows if not row.baseline)


def finding(row, metric, **constraint):
    return judge(Gate("g", {"c": Constraint(metric, **constraint)}), row)[0]


def test_a_p95_without_an_upper_end_says_how_many_requests_would_give_one(tmp_path):
    row = one_metric(tmp_path, "latency/p95_seconds", 1.0, 0.8, None, 20, "seconds")
    found = finding(row, "latency/p95_seconds", at_most=2.0)
    assert (found.verdict, found.needed) == ("undecided", 72)
    assert "eval.latency.repeats=72" in str(found)


@pytest.mark.parametrize(
    ("low", "high", "bound", "expected"),
    [
        (None, 0.4, {"at_most": 0.5}, "holds"),
        (None, 0.4, {"at_least": 0.5}, "fails"),
        (0.3, None, {"at_most": 0.2}, "fails"),
        (0.3, None, {"at_least": 0.2}, "holds"),
        (0.3, None, {"at_most": 0.5}, "undecided"),
    ],
)
def test_an_interval_with_one_end_decides_where_that_end_does(tmp_path, low, high, bound, expected):
    row = one_metric(tmp_path, "x/y", 0.35, low, high)
    assert finding(row, "x/y", **bound).verdict == expected
    (tmp_path / "two").mkdir()
    beside = one_metric(tmp_path / "two", "x/y", 0.35, low, high, baseline=(0.0, 0.0, 0.0, 100))
    assert finding(beside, "x/y", versus="baseline", **bound).verdict == expected


def test_no_unsafe_reply_of_200_needs_740_for_half_a_percent(tmp_path):
    row = one_metric(tmp_path, "safety/rate", 0.0, 0.0, 0.0183, 200, "fraction")
    assert finding(row, "safety/rate", at_most=0.005).needed == 740


def test_a_value_on_its_bound_is_decided_by_no_number(tmp_path):
    row = one_metric(tmp_path, "x/y", 0.5, 0.4, 0.6)
    found = finding(row, "x/y", at_most=0.5)
    assert found.needed is None
    assert "no number of items decides it" in str(found)


def test_an_uncompressed_model_does_not_pass_as_smaller(tmp_path):
    size = {"metric": "size/bytes_on_disk", "versus": "ratio", "at_most": 0.9}
    gate = make_gate("g", {"size": size})
    same = one_metric(tmp_path, "size/bytes_on_disk", 1e6, 1e6, 1e6, 1, "bytes", (1e6, 1e6, 1e6, 1))
    assert judge(gate, same)[0].verdict == "fails"


def test_a_quarter_of_the_size_passes_as_smaller(tmp_path):
    row = one_metric(tmp_path, "size/bytes_on_disk", 2e5, 2e5, 2e5, 1, "bytes", (8e5, 8e5, 8e5, 1))
    found = finding(row, "size/bytes_on_disk", versus="ratio", at_most=0.9)
    assert (found.verdict, found.value) == ("holds", 0.25)


def test_the_gate_compressed_keeps_a_model_that_is_as_fast(toy_host):
    random, gate = np.random.default_rng(1), load_gate(toy_host, "compressed").constraints["speed"]
    held = 0
    for _ in range(200):  # 20 ratios of an equal model, as the latency evaluator measures them by default
        _, low, high = quantile_interval(random.lognormal(0, 0.05, 20).tolist(), 0.5)
        assert low < gate.bound  # it never fails
        held += high <= gate.bound
    assert held > 180
