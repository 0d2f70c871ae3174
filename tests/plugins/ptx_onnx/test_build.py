import subprocess

import pytest

from ptx import StepError
from ptx_onnx import Onnx
from ptx_onnx.build import build, options_of


def test_the_builder_converts_and_keeps_a_whole_cache():
    """With a cache of the window's size a prompt longer than the window fails."""
    assert options_of(Onnx(precision="fp32")) == {"hf_token": False, "windowed_kv_cache": False}


def test_what_a_packed_checkpoint_leaves_unpacked_is_not_rounded_by_the_builder():
    options = options_of(Onnx(precision="int4", accuracy_level=1))
    assert options["nodes_to_exclude"] == "/lm_head/MatMul,/model/embed_tokens/Gather"
    assert options["accuracy_level"] == 1


def test_the_builder_runs_offline_with_every_option_on_its_command_line(tmp_path, monkeypatch):
    seen = {}

    def run(command, **options):
        seen.update(options, command=command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    config = Onnx(precision="fp32", args={"fuse_mlp_gate_up": True})
    build(config, tmp_path / "in", tmp_path / "out", {"fuse_qkv": False}, tmp_path / "scratch")
    options = seen["command"].index("--extra_options")
    assert seen["command"][options + 1 :] == [
        "hf_token=false",
        "windowed_kv_cache=false",
        "fuse_qkv=false",
        "fuse_mlp_gate_up=true",
    ]
    assert seen["env"]["HF_HUB_OFFLINE"] == "1"


def test_what_the_builder_says_is_in_the_error(export, chat_model, monkeypatch):
    monkeypatch.setattr("ptx_onnx.build.BUILDER", "onnxruntime_genai.models.bilder")
    with pytest.raises(
        StepError, match=r"(?s)the model builder of onnxruntime-genai ended with exit code 1:.*bilder"
    ):
        export(Onnx(), chat_model)
