"""Checkpoints of integers as compressed-tensors packs them, made by rounding to nearest."""

import json
import shutil

import torch

from ptx.lm.load import load_model


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
