"""Gates: what holds is shown by its interval, and what was not measured never passes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from ptx.errors import ConfigError
from ptx.report import load_records, make_frame
from ptx.report.gate import Constraint, Gate, judge, load_gate, make_gate, ships


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
