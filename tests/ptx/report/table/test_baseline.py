"""References of rows: the baseline of their model, a declared run, or the run that the user names."""

import pytest

from ptx.errors import ConfigError
from ptx.files import read_json, write_json
from ptx.report import build, load_records, make_frame
from ptx.report.table.compare import compare_all
from tests.ptx.report.pages import data_of, texts


def test_without_a_baseline_the_first_row_stands_in_and_the_report_says_so(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({"method": "sft"}, skill=0.3)
    sweep.run({"method": "dpo"}, skill=0.8)
    _, markdown = texts(build([sweep.folder], tmp_path / "out"))
    assert "1 run is compared with sft (the first, as none is the untouched model)" in markdown
    assert "1 better, 0 worse" in markdown


def test_rows_are_compared_with_the_baseline_of_their_own_model(new_sweep, tmp_path):
    one, other = new_sweep(name="one", model="tiny"), new_sweep(name="other", model="larger")
    for sweep in (one, other):
        sweep.run({}, baseline=True, label=f"baseline model={sweep.model}")
        sweep.run({"model": sweep.model, "method": "sft"}, skill=0.7)
    rows = build([tmp_path / "runs"], tmp_path / "out").frame.rows
    references = {row.label: row.reference.label for row in rows if row.reference}
    assert references == {"tiny · sft": "baseline model=tiny", "larger · sft": "baseline model=larger"}


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


def test_the_texts_of_the_report_name_the_requested_run(sweep, tmp_path):
    built = build([sweep.folder], tmp_path / "out", against="sft")
    markdown, data = built.markdown.read_text(), data_of(built)
    assert "2 runs are compared with sft on bench mean" in markdown
    assert "no run is the untouched model" not in markdown
    assert "against sft, paired by item" in markdown
    assert "Δ to sft |" in markdown
    assert data["reference"] == "sft"
    assert data["rows"]["ref"] == "1,,1"


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
