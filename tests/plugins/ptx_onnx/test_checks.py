import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime_genai as og
import pytest

from ptx import ModelRef, RunConfig
from ptx_onnx import Onnx, ptx_validate
from ptx_onnx.build import build
from ptx_onnx.checks import ARCHITECTURES
from tests.plugins.conftest import save_tiny_llama


def said(runtime, model, **config):
    return [str(problem) for problem in ptx_validate(RunConfig(runtime=runtime, **config), model)]


def test_a_sound_model_has_no_problems(chat_model):
    assert said(Onnx(), chat_model) == []


def test_the_architectures_are_those_of_the_builder():
    source = (Path(find_spec("onnxruntime_genai").origin).parent / "models" / "builder.py").read_text()
    known = set(re.findall(r'architectures\[0\] == "(\w+)"', source))
    assert set(ARCHITECTURES) <= known
    decoders = {name for name in known if name.endswith("ForCausalLM")}
    # left out: code of a model's own, experts on the GPU only, other inputs than text, quantisers of their
    # of their own; Gemma 3 fails in the builder with transformers 5, Olmo is converted wrongly (KL 0.008)
    left = {
        "Gemma3ForCausalLM",
        "OlmoForCausalLM",
        "InternLM2ForCausalLM",
        "PhiMoEForCausalLM",
        "Phi3SmallForCausalLM",
        "Phi3VForCausalLM",
        "Phi4MMForCausalLM",
        "GptOssForCausalLM",
        "GraniteMoeHybridForCausalLM",
        "Lfm2MoeForCausalLM",
        "VideoChatFlashQwenForCausalLM",
    }
    assert decoders - set(ARCHITECTURES) == left


def test_an_architecture_that_the_builder_does_not_know_is_refused(chat_model, tmp_path):
    config = json.loads((chat_model / "config.json").read_text()) | {"architectures": ["OPTForCausalLM"]}
    (problem,) = refused_with(config, chat_model, tmp_path)
    assert "cannot convert OPTForCausalLM" in problem
    assert problem.endswith("use runtime=hf")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4}}, "the rotary scaling 'longrope'"),
        ({"head_dim": 24}, "those of the model have 24"),
        ({"sliding_window": 32}, "the model has one of 32 tokens"),
        ({"partial_rotary_factor": 0.25, "head_dim": 32}, "the model rotates 8"),
        (
            {"architectures": ["Phi3ForCausalLM"], "partial_rotary_factor": 0.5, "head_dim": 32},
            "rotates 16 of 32",
        ),
    ],
)
def test_what_the_builder_or_the_kernel_would_lose_is_refused_from_the_configuration(
    chat_model, tmp_path, change, said
):
    config = json.loads((chat_model / "config.json").read_text()) | change
    (problem,) = refused_with(config, chat_model, tmp_path)
    assert said in problem
    assert "use runtime=hf" in problem


@pytest.mark.parametrize(
    "change",
    [
        {"sliding_window": 256, "model_type": "mistral", "architectures": ["MistralForCausalLM"]},
        {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}},
        {"no_rope_layers": [1, 0], "architectures": ["SmolLM3ForCausalLM"]},
        {"intermediate_size": 96, "hidden_size": 96, "head_dim": 16},
    ],
)
def test_what_is_written_although_the_builder_loses_it_is_not_refused(chat_model, tmp_path, change):
    config = json.loads((chat_model / "config.json").read_text()) | change
    assert refused_with(config, chat_model, tmp_path) == []


def refused_with(config, source, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    for file in source.iterdir():
        if file.name != "config.json" and not (folder / file.name).exists():
            (folder / file.name).symlink_to(file)
    (folder / "config.json").write_text(json.dumps(config))
    return said(Onnx(), folder)


@pytest.mark.slow
def test_a_head_size_that_the_kernel_cannot_take_is_refused_where_the_builder_is_silent(warm, tmp_path):
    """The trap of FACTS: the builder converts head size 8 without a word, and generation fails."""
    model = save_tiny_llama(tmp_path / "model", None, hidden_size=64, num_attention_heads=8)
    (problem,) = said(Onnx(), model)
    assert "multiple of 16; those of the model have 8" in problem
    assert problem.endswith("use runtime=hf")
    build(Onnx(precision="fp32"), model, tmp_path / "package", {}, tmp_path / "scratch")
    with pytest.raises(RuntimeError, match="head_size"):
        naive(tmp_path / "package")


def naive(package):
    model = og.Model(str(package))
    params = og.GeneratorParams(model)
    params.set_search_options(max_length=20)
    generator = og.Generator(model, params)
    generator.append_tokens(np.array([[5, 6, 7]], dtype=np.int32))
    generator.generate_next_token()


def test_misspelt_builder_options_are_answered_with_the_right_ones(chat_model):
    assert said(Onnx(args={"fuse_mlp_gateup": True}), chat_model) == [
        "runtime.args: the model builder has no option 'fuse_mlp_gateup'; did you mean 'fuse_mlp_gate_up'?"
    ]


def test_a_gpu_and_packed_weights_of_a_dense_model_are_refused_together(chat_model):
    found = said(Onnx(weights="packed"), chat_model, device="cuda")
    assert len(found) == 2
    assert "serves on the CPU" in found[0]
    assert "nothing in the run quantises it" in found[1]


def test_a_package_needs_no_more_checking(fp32_package):
    (fp32_package / "package.json").write_text('{"ptx_package": 1, "runtime": "onnx"}')
    try:
        assert said(Onnx(), fp32_package) == []
        assert ModelRef.of(fp32_package, "package").bytes > 0
    finally:
        (fp32_package / "package.json").unlink()
