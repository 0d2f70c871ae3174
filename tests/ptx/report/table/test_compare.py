"""Comparisons of rows: paired, in turns, exact, or none where a difference would mean nothing."""

import random
import re

import numpy as np
import pytest

from benchmarks.coverage import identical, left_out, segment_claims
from ptx.files import read_json, write_json
from ptx.records import Metric
from ptx.report import build, load_records, make_frame
from ptx.report.table.compare import compare_all, difference_of, indistinguishable
from ptx.stats import quantile_interval
from tests.ptx.report.pages import marks
from tests.ptx.report.runs import write_run, write_sweep

NAME = "latency/request_seconds"


def test_a_few_bytes_are_neither_better_nor_worse(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, baseline=True, size=1_000_000)
    sweep.run({"method": "sft"}, size=999_000)
    sweep.run({"method": "sft", "compress": "[gptq]"}, size=900_000)
    report = build([sweep.folder], tmp_path / "out")
    assert list(marks(report, "size/bytes_on_disk").values()) == [".", "=", "▲"]


def ratio(value):
    return [Metric("latency/request_ratio", value, "ratio", "lower", value * 0.98, value * 1.02, 20)]


def serve(folder, **config):
    run = read_json(folder / "run.json")
    write_json(folder / "run.json", run | {"config": run["config"] | config})


def test_ratios_to_different_baselines_are_neither_compared_nor_drawn(new_sweep, tmp_path):
    sweep = new_sweep()
    for compress, runtime, value in (("[]", "hf", 1.0), ("[gptq]", "hf", 1.5), ("[gptq]", "onnx", 0.6)):
        serve(
            sweep.run({"compress": compress, "runtime": runtime}, extra=ratio(value)),
            runtime={"choice": f"runtime={runtime}"},
        )
    frame = make_frame(load_records([sweep.folder]), "compress=[] runtime=hf")
    found = compare_all(frame)
    assert found[2, "latency/request_ratio", ""].verdict == "worse"
    assert (3, "latency/request_ratio", "") not in found
    assert frame.cost == "latency/request_seconds"
    for path in sweep.folder.glob("*/run.json"):
        serve(path.parent, baseline_runtime={"choice": "runtime=hf"})
    frame = make_frame(load_records([sweep.folder]), "compress=[] runtime=hf")
    assert compare_all(frame)[3, "latency/request_ratio", ""].verdict == "better"
    assert frame.cost == "latency/request_ratio"


@pytest.fixture
def sweep_of(tmp_path):
    """``sweep_of(speedup, busy)``: a sweep of a baseline and one run, measured in turns with the baseline.

    The machine is ``busy`` times as slow while the run is measured.
    """

    def make(speedup, busy):
        generator = random.Random(0)
        for ident, speed, load in (("baseline", 1.0, 1.0), ("sft", speedup, busy)):
            noise = [load * generator.lognormvariate(0, 0.05) for _ in range(20)]
            rows = [
                {
                    "item": f"request:{number}",
                    "scores": {NAME: 0.1 * factor / speed},
                    "beside": {NAME: 0.1 * factor * generator.lognormvariate(0, 0.01)},
                    "segments": {},
                }
                for number, factor in enumerate(noise)
            ]
            seconds = quantile_interval([row["scores"][NAME] for row in rows], 0.5)
            ratio = quantile_interval([row["scores"][NAME] / row["beside"][NAME] for row in rows], 0.5)
            metrics = [
                Metric(name, value, unit, "lower", low, high, 20)
                for name, unit, (value, low, high) in (
                    (NAME, "seconds", seconds),
                    ("latency/request_ratio", "ratio", ratio),
                )
            ]
            write_run(tmp_path / "sweep" / ident, "latency", rows, metrics, baseline=ident == "baseline")
        return write_sweep(tmp_path / "sweep", "baseline", "sft")

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
    text = (folder / "report" / "report.md").read_text()
    assert re.search(r"faster \\?\[[\d., ]+\\?\] than the baseline, measured in turns", text)
    seconds = [
        metric["value"]
        for metric in read_json(folder / "sft" / "result.json")["metrics"]
        if metric["name"] == NAME
    ]
    assert seconds[0] > 0.1


@pytest.mark.parametrize(
    ("models", "items", "kind"), [(6, 20, "binary"), (4, 100, "binary"), (5, 30, "real")]
)
def test_an_identical_model_is_seldom_left_out_of_the_best(models, items, kind):
    assert left_out(models, items, kind, 60)[0] <= 0.1  # 5 % at most; 60 reports


def test_a_model_that_is_clearly_behind_is_left_out_of_the_best(new_sweep):
    sweep = new_sweep()
    sweep.run({}, skill=0.3, baseline=True)
    for method, skill in (("sft", 0.62), ("dpo", 0.6), ("kto", 0.35)):
        sweep.run({"method": method}, skill=skill)
    frame = make_frame(load_records([sweep.folder]))
    best = max(frame.rows, key=lambda row: row.metrics["bench/mean", ""].value)
    found = indistinguishable(frame, best, "bench/mean")
    assert {row.label for row in [best, *found["same"]]} == {"sft", "dpo"}


def test_segments_of_identical_models_are_seldom_marked():
    assert segment_claims(3, 80, 15, 25)[0] <= 0.1


def test_all_segments_of_a_report_are_one_family():
    frame = identical(np.random.default_rng(1), 3, 200, segments=10)
    found = {place: one.difference for place, one in compare_all(frame).items() if place[2]}
    tests = [one for one in found.values() if not one.too_few]
    least = min(tests, key=lambda one: one.p)
    number, name, segment = next(place for place, one in found.items() if one is least)
    row = next(row for row in frame.rows if row.number == number)
    alone = difference_of(row, row.reference, (name, segment))
    assert len(tests) > 8
    assert least.p == pytest.approx(min(1.0, len(tests) * alone.difference.p))


def in_turns(tmp_path, seconds, ratio, *, baseline=True):
    """A run whose raw time is (value, low, high), beside a baseline, with the ratio measured in turns.

    Without ``baseline`` both are runs, which were measured beside a model that is no row.
    """
    from ptx.records import Metric
    from ptx.report import load_records, make_frame
    from tests.ptx.report.runs import write_run

    def timed(value, low, high):
        return Metric("latency/request_seconds", value, "seconds", "lower", low, high, 40)

    def turns(value, low, high):
        return Metric("latency/request_ratio", value, "ratio", "lower", low, high, 40)

    base = [timed(1.0, 0.99, 1.01), turns(1.0, 0.98, 1.02)]
    write_run(tmp_path / "base", "latency", [], base, baseline=baseline)
    write_run(tmp_path / "run", "latency", [], [timed(*seconds), turns(*ratio)])
    frame = make_frame(load_records([tmp_path]))
    return {name: one.mark for (_, name, _), one in compare_all(frame).items()}


def test_a_raw_time_of_another_moment_has_no_mark_beside_the_ratio_in_turns(tmp_path):
    marks = in_turns(tmp_path, (0.8, 0.79, 0.81), (1.0, 0.97, 1.03))
    assert marks.get("latency/request_seconds") is None  # "faster" by its raw time: the machine was busier


def test_nor_where_both_were_measured_in_turns_with_a_model_that_is_no_row(tmp_path):
    marks = in_turns(tmp_path, (0.8, 0.79, 0.81), (1.0, 0.97, 1.03), baseline=False)
    assert marks.get("latency/request_seconds") is None
    assert marks["latency/request_ratio"] == "≈"


def test_the_ratio_in_turns_has_the_mark(tmp_path):
    assert in_turns(tmp_path, (0.8, 0.79, 0.81), (0.8, 0.78, 0.82))["latency/request_ratio"] == "▲"
