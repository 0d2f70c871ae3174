"""Labels of rows: short, and unique."""

from ptx.report import build, load_records, make_frame
from ptx.report.table.labels import printable
from tests.ptx.report.pages import labels


def test_runs_of_a_sweep_over_seeds_alone_are_labelled_by_their_overrides(new_sweep, tmp_path):
    sweep = new_sweep()
    typed = [
        "model=tiny",
        "method=dpo",
        "method.beta=0.3",
        "eval=[bench]",
        "eval.bench.limit=5",
        "out=elsewhere",
    ]
    for seed in range(2):
        sweep.run({"seed": str(seed)}, seed=seed, overrides=[*typed, f"seed={seed}"])
    (row,) = build([sweep.folder], tmp_path / "out").frame.rows
    assert row.label == "dpo · method.beta=0.3"


def test_a_single_run_is_labelled_by_its_overrides(new_sweep, tmp_path):
    sweep = new_sweep()
    sweep.run({}, label="method=sft method.max_steps=10 data=tiny eval=[bench]")
    assert labels(build([sweep.folder], tmp_path / "out")) == ["sft · method.max_steps=10"]


def test_an_uncompressed_run_among_runtimes_says_that_it_is_one(new_sweep):
    sweep = new_sweep()
    for compress in ("[]", "[sparsegpt,gptq]"):
        sweep.run({"compress": compress, "runtime": "onnx_int8"})
    assert [row.label for row in make_frame(load_records([sweep.folder])).rows] == [
        "uncompressed · onnx_int8",
        "sparsegpt+gptq · onnx_int8",
    ]


def test_models_of_several_folders_are_labelled_by_the_names_of_the_folders(evaluated):
    assert [row.label for row in evaluated("/a/base", "./b/sft", "tiny").frame.rows] == [
        "base",
        "sft",
        "tiny",
    ]


def test_two_folders_of_one_name_get_different_labels(evaluated):
    assert [row.label for row in evaluated("/a/sft", "/b/sft").frame.rows] == ["model=/a/sft", "model=/b/sft"]


def test_a_label_has_no_control_or_direction_characters_and_fits_a_line():
    assert printable("a\u202eb\x1b\tc") == "ab c"
    assert len(printable("x" * 500)) == 80
    assert printable("x" * 500).endswith("…")
