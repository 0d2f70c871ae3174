import sys

import pytest

import ptx_openvino
from ptx import ModelRef, Outside, RunConfig, StepError
from ptx.models.package import read_package
from ptx_openvino import OpenVino, ptx_load

PROMPTS = ["Once upon a time", "The"]


STAND_IN = """
import json, shutil, sys
spec = json.load(open(sys.argv[1]))
shutil.copytree(spec["model"], spec["folder"], dirs_exist_ok=True)
for kind in ("xml", "bin"):
    shutil.copyfile({graph!r} + "." + kind, spec["folder"] + "/openvino_model." + kind)
"""


def test_a_package_from_elsewhere_that_is_not_the_model_fails_the_step_with_the_figures(
    package, model, make_run, tmp_path, monkeypatch
):
    """The stand-in's graph is a graph, and not this model; bfloat16 would lose the sum that it keeps."""
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN.format(graph=str(package.path / "openvino_model")))
    monkeypatch.setattr(OpenVino, "outside", lambda self: Outside(script, sys.executable))
    config = OpenVino(max_perplexity_ratio=1.0001)
    run = make_run(RunConfig(runtime=config), [ptx_openvino]).at(record=tmp_path)
    with pytest.raises(StepError, match=r"the int8 package has [\d.]+ times the model's perplexity .*KL"):
        run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    (tmp_path / "far").mkdir()
    config = OpenVino(max_perplexity_ratio=1e9, compute="float32")
    run = run.at(folder=tmp_path / "far", events=tmp_path / "far.jsonl")
    made = run.host.first("ptx_export", run=run, runtime=config, model=ModelRef.of(model))
    assert made.kind == "package"
    assert read_package(made.path)["source"] == ModelRef.of(model).digest
    assert read_package(made.path)["fidelity"][0]["value"] > 0
    assert ptx_load(config, made).generate(PROMPTS[:1], 3)
