import subprocess

import pytest

from ptx import StepError
from ptx_onnx import Onnx
from ptx_onnx.build import build, options_of


def test_a_float32_package_has_no_options_of_quantisation():
    assert options_of(Onnx(precision="fp32")) == {"hf_token": False}


def test_the_settings_become_options_of_the_builder():
    assert options_of(Onnx(precision="int4", block_size=16, symmetric=False, accuracy_level=1)) == {
        "hf_token": False,
        "block_size": 16,
        "is_symmetric": False,
        "accuracy_level": 1,
        "algo_config": "k_quant",
        "op_types_to_quantize": "MatMul/Gather",
    }
    assert options_of(Onnx(precision="int8"))["op_types_to_quantize"] == "MatMul"


def test_the_output_layer_and_sensitive_layers_have_options_of_their_own():
    assert options_of(Onnx(head="fp32"))["nodes_to_exclude"] == "/lm_head/MatMul,/model/embed_tokens/Gather"
    both = options_of(Onnx(head="int8", mixed=True))
    assert both["matmul_mixed_precision"] == "last_matmul:int8,mixed_layers:int8"


def test_the_builder_runs_offline_with_every_option_on_its_command_line(tmp_path, monkeypatch):
    seen = {}

    def run(command, **options):
        seen.update(options, command=command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    config = Onnx(precision="fp32", args={"fuse_mlp_gate_up": True})
    build(config, tmp_path / "in", tmp_path / "out", {"fuse_qkv": False}, tmp_path / "scratch")
    options = seen["command"].index("--extra_options")
    assert seen["command"][options + 1 :] == ["hf_token=false", "fuse_qkv=false", "fuse_mlp_gate_up=true"]
    assert seen["env"]["HF_HUB_OFFLINE"] == "1"


def test_what_the_builder_says_is_in_the_error(export, chat_model, monkeypatch):
    monkeypatch.setattr("ptx_onnx.build.BUILDER", "onnxruntime_genai.models.bilder")
    with pytest.raises(
        StepError, match=r"(?s)the model builder of onnxruntime-genai ended with exit code 1:.*bilder"
    ):
        export(Onnx(), chat_model)
