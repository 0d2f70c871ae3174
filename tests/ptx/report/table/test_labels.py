"""Labels of rows: short, and unique."""

from ptx.report import build, load_records, make_frame
from tests.ptx.report.pages import labels


def test_runs_of_a_sweep_over_seeds_alone_are_named_by_what_was_typed(new_sweep, tmp_path):
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


def test_a_lone_run_is_labelled_by_what_was_typed(new_sweep, tmp_path):
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


def test_models_of_several_folders_are_called_by_the_folders_names_unless_these_are_alike(evaluated):
    assert [row.label for row in evaluated("/a/base", "./b/sft", "tiny").frame.rows] == [
        "base",
        "sft",
        "tiny",
    ]


def test_two_folders_of_one_name_are_told_apart(evaluated):
    assert [row.label for row in evaluated("/a/sft", "/b/sft").frame.rows] == ["model=/a/sft", "model=/b/sft"]
