"""Packages that several tests open; each is built once, since the builder takes seconds."""

import json
import shutil

import pytest
import torch

import ptx_onnx
from ptx import ModelRef, RunConfig
from ptx.lm.load import load_model
from ptx_onnx import Onnx, ptx_export
from tests.plugins.conftest import TEMPLATE, save_tiny_llama


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory):
    """As everywhere, and wide enough for two blocks of 32."""
    return save_tiny_llama(
        tmp_path_factory.mktemp("models") / "chat", TEMPLATE, hidden_size=64, num_attention_heads=4
    )


@pytest.fixture
def export(make_run):
    """``export(config, model)``: the step, outside of a sweep; returns the run and the package."""

    def go(config, model, name="step", seed=0):
        run = make_run(RunConfig(runtime=config), [ptx_onnx], name, seed)
        return run, ptx_export(run, config, ModelRef.of(model))

    return go


@pytest.fixture(scope="session")
def fp32_package(tmp_path_factory, chat_model, warm_python):
    """The chat model of the tests in float32, built without the step around it."""
    from ptx_onnx.build import build

    folder = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.executable", warm_python)
        build(Onnx(precision="fp32"), chat_model, folder / "fp32", {}, folder / "scratch")
    return folder / "fp32"


@pytest.fixture(scope="session")
def packed_model(tmp_path_factory, chat_model):
    """The chat model as a compressed-tensors checkpoint: 3 bits, one zero point and scale per 16 weights."""
    return write_packed(chat_model, tmp_path_factory.mktemp("models") / "packed", bits=3, group=16)


def write_packed(source, folder, bits, group, symmetric=False):
    """Round to nearest, and let compressed-tensors itself pack the integers."""
    from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from safetensors.torch import save_file

    weights = QuantizationArgs(
        num_bits=bits, type="int", symmetric=symmetric, strategy="group", group_size=group
    )
    scheme = QuantizationScheme(targets=["Linear"], weights=weights)
    network = load_model(source)
    tensors = {}
    for name, tensor in network.state_dict().items():
        layer, _, _part = name.rpartition(".")
        if name.endswith("_proj.weight"):
            found = PackedQuantizationCompressor.compress(grid(tensor, bits, group, symmetric), scheme)
            tensors |= {f"{layer}.{part}": value.contiguous() for part, value in found.items()}
        elif name != "lm_head.weight":
            tensors[name] = tensor
    shutil.copytree(source, folder)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "ignore": ["lm_head"],
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights.model_dump(mode="json")}},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def grid(weight, bits, group, symmetric):
    """Min-max scales and zero points per group, as compressed-tensors keeps them: signed."""
    grouped = weight.reshape(weight.shape[0], -1, group)
    low, high, top = grouped.amin(-1), grouped.amax(-1), 2 ** (bits - 1)
    scale = grouped.abs().amax(-1) / (top - 0.5) if symmetric else (high - low) / (2**bits - 1)
    zero = torch.zeros_like(scale) if symmetric else (-top - low / scale).round().clamp(-top, top - 1)
    return {"weight": weight, "weight_scale": scale, "weight_zero_point": zero.to(torch.int8)}
