"""A report against a run that is not the baseline: every difference, and every word about it, is about that
run.
"""

from __future__ import annotations

import pytest

from ptx.errors import ConfigError
from ptx.files import read_json, write_json, write_rows
from ptx.records import Metric
from ptx.report import build, load_records, make_frame
from ptx.report.table.compare import compare_all


@pytest.fixture
def sweep(new_sweep):
    made = new_sweep()
    made.run({}, baseline=True, skill=0.2)
    made.run({"method": "sft", "compress": "[]"}, skill=0.8)
    made.run({"method": "sft", "compress": "[gptq]"}, skill=0.5)
    return made


def declare(sweep, text):
    for path in sweep.folder.glob("*/run.json"):
        run = read_json(path)
        write_json(path, run | {"config": run["config"] | {"against": text}})


def test_every_row_is_compared_with_the_run_that_is_named(sweep, tmp_path):
    built = build([sweep.folder], tmp_path / "out", against="method=sft compress=[]")
    found = compare_all(built.frame)
    assert {row.label: row.reference.label for row in built.frame.rows if row.reference} == {
        "baseline": "sft",
        "sft · gptq": "sft",
    }
    assert [found[number, "bench/mean", ""].verdict for number in (1, 3)] == ["worse", "worse"]
    assert found[3, "bench/mean", ""].how == "paired"


def test_the_words_of_the_report_name_it(sweep, tmp_path):
    built = build([sweep.folder], tmp_path / "out", against="sft")
    markdown, html = built.markdown.read_text(), built.html.read_text()
    assert "2 runs are compared with sft on bench mean" in markdown
    assert "no run is the untouched model" not in markdown
    assert "against sft, paired by item" in markdown
    assert "Δ to sft |" in markdown
    assert "<small>against sft</small>" in html
    assert "<small>the reference</small>" in html


def test_a_sweep_declares_it_for_its_own_runs_and_the_command_line_wins(sweep):
    declare(sweep, "method=sft compress=[gptq]")
    records = load_records([sweep.folder])
    assert {row.reference.label for row in make_frame(records).rows if row.reference} == {"sft · gptq"}
    assert {row.reference.label for row in make_frame(records, "sft").rows if row.reference} == {"sft"}
    assert {row.reference.label for row in make_frame(records, None).rows if row.reference} == {
        "baseline"
    }  # what a gate asks


def test_a_part_of_a_sweep_without_the_declared_run_is_compared_with_the_baseline(sweep):
    declare(sweep, "method=dpo")
    assert {
        row.reference.label for row in make_frame(load_records([sweep.folder])).rows if row.reference
    } == {"baseline"}


def test_a_name_that_no_row_has_is_refused_and_nothing_is_written(sweep, tmp_path):
    with pytest.raises(ConfigError, match="is none of the runs"):
        build([sweep.folder], tmp_path / "out", against="method=dpo")
    assert not (tmp_path / "out").exists()


def test_an_uncompressed_run_among_runtimes_says_that_it_is_one(new_sweep):
    sweep = new_sweep()
    for compress in ("[]", "[sparsegpt,gptq]"):
        sweep.run({"compress": compress, "runtime": "onnx_int8"})
    assert [row.label for row in make_frame(load_records([sweep.folder])).rows] == [
        "uncompressed · onnx_int8",
        "sparsegpt+gptq · onnx_int8",
    ]


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


def test_rows_that_lack_an_evaluator_for_one_reason_share_a_sentence(new_sweep, tmp_path):
    sweep = new_sweep()
    for compress in ("[]", "[rtn]", "[gptq]"):
        folder = sweep.run({"compress": compress})
        if compress != "[]":
            row = {
                "item": "latency",
                "scores": {},
                "segments": {},
                "status": "emulated",
                "reason": "it is unpacked first",
            }
            write_rows(folder / "evaluations" / "latency.jsonl", [row])
    markdown = build([sweep.folder], tmp_path / "out").markdown.read_text()
    assert "**rtn, gptq** have no latency: it is unpacked first." in markdown
