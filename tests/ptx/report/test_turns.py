"""Latencies that were measured in turns with the baseline's: a busy machine must not make a model faster than
itself.
"""

from __future__ import annotations

import random

import pytest

from ptx.files import read_json, write_json, write_rows
from ptx.records import Metric
from ptx.report import build
from ptx.report.table.compare import compare_all
from ptx.stats import quantile_interval

NAME = "latency/request_seconds"


@pytest.fixture
def sweep_of(tmp_path):
    """A sweep of a baseline and one run, whose latencies come from a machine that was busy in one of the two
    measurements.
    """

    def make(speedup, busy):
        generator = random.Random(0)
        folder = tmp_path / "sweep"
        for ident, base, speed, load in (("baseline", True, 1.0, 1.0), ("sft", False, speedup, busy)):
            mine = folder / ident
            (mine / "evaluations").mkdir(parents=True)
            noise = [load * generator.lognormvariate(0, 0.05) for _ in range(20)]
            rows = []
            for number, factor in enumerate(noise):
                beside = 0.1 * factor * generator.lognormvariate(0, 0.01)
                rows.append(
                    {
                        "item": f"request:{number}",
                        "scores": {NAME: 0.1 * factor / speed},
                        "beside": {NAME: beside},
                        "segments": {},
                    }
                )
            write_rows(mine / "evaluations" / "latency.jsonl", rows)
            seconds = quantile_interval([row["scores"][NAME] for row in rows], 0.5)
            ratio = quantile_interval([row["scores"][NAME] / row["beside"][NAME] for row in rows], 0.5)
            metrics = [Metric(NAME, seconds[0], "seconds", "lower", seconds[1], seconds[2], 20)]
            metrics.append(
                Metric("latency/request_ratio", ratio[0], "ratio", "lower", ratio[1], ratio[2], 20)
            )
            run = {
                "id": ident,
                "label": ident,
                "sweep": "s",
                "baseline": base,
                "varied": {} if base else {"method": ident},
            }
            write_json(
                mine / "run.json",
                run
                | {
                    "config": {"method": ident},
                    "model": {"name": "m", "digest": "d"},
                    "seed": 0,
                    "evaluations": [],
                },
            )
            result = {
                "status": "done",
                "steps": [],
                "evaluations": [{"name": "latency"}],
                "error": None,
                "seconds": 1.0,
            }
            write_json(
                mine / "result.json",
                result | {"metrics": [vars(metric) | {"evaluator": "latency"} for metric in metrics]},
            )
        write_json(folder / "sweep.json", {"name": "s", "runs": ["baseline", "sft"], "axes": {}})
        return folder

    return make


def verdicts(folder):
    frame = build([folder], folder / "report").frame
    found = compare_all(frame)
    return {name: found[2, name, ""].verdict for name in (NAME, "latency/request_ratio")}


def test_the_same_model_on_a_machine_that_became_half_as_fast_is_not_called_slower(sweep_of):
    assert verdicts(sweep_of(speedup=1.0, busy=2.0)) == {NAME: "same", "latency/request_ratio": "same"}


def test_a_model_that_is_faster_is_called_so_although_the_machine_became_slower(sweep_of):
    folder = sweep_of(speedup=1.5, busy=2.0)
    assert verdicts(folder) == {NAME: "better", "latency/request_ratio": "better"}
    assert "\N{MULTIPLICATION SIGN} faster than" in (folder / "report" / "report.md").read_text()
    seconds = [
        metric["value"]
        for metric in read_json(folder / "sft" / "result.json")["metrics"]
        if metric["name"] == NAME
    ]
    assert seconds[0] > 0.1


def test_runs_of_an_earlier_plan_of_the_same_sweep_are_left_out(sweep_of):
    folder = sweep_of(speedup=1.0, busy=1.0)
    write_json(folder / "sweep.json", read_json(folder / "sweep.json") | {"runs": ["baseline"]})
    assert [record.id for record in build([folder], folder / "report").records] == ["baseline"]


def test_folders_of_the_machine_are_not_named(sweep_of, tmp_path):
    folder = sweep_of(speedup=1.0, busy=1.0)
    run = read_json(folder / "sft" / "run.json")
    write_json(
        folder / "sft" / "run.json", run | {"config": {"method": f"{folder.resolve().parent}/secret/place"}}
    )
    report = build([folder], folder / "report")
    for path in (report.html, report.markdown):
        assert str(folder.resolve().parent) not in path.read_text()
