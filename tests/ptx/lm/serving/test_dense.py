"""The activations that a checkpoint rounds, which an exported package does not."""

from __future__ import annotations

import pytest

from ptx.files import write_json
from ptx.lm.quanto import MAP
from ptx.lm.serving.dense import rounded_activations


def group(activations):
    return {
        "weights": {"type": "int", "num_bits": 8},
        "input_activations": activations,
        "output_activations": None,
    }


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ({}, ""),
        ({"a": group(None)}, ""),
        ({"a": group({"type": "int", "num_bits": 8, "dynamic": True})}, "int8"),
        (
            {
                "a": group(None),
                "b": group({"type": "float", "num_bits": 8}),
                "c": group({"type": "float", "num_bits": 8}),
            },
            "float8",
        ),
    ],
)
def test_rounded_activations_of_a_compressed_tensors_checkpoint(tmp_path, groups, expected):
    write_json(
        tmp_path / "config.json",
        {"quantization_config": {"quant_method": "compressed-tensors", "config_groups": groups}},
    )
    assert rounded_activations(tmp_path) == expected


def test_a_plain_model_rounds_nothing(tmp_path):
    write_json(tmp_path / "config.json", {"model_type": "llama"})
    assert rounded_activations(tmp_path) == ""


@pytest.mark.parametrize(
    ("activations", "expected"), [("none", ""), ("qint8", "int8"), ("qfloat8_e4m3fn", "float8_e4m3fn")]
)
def test_rounded_activations_of_what_optimum_quanto_packed(tmp_path, activations, expected):
    write_json(
        tmp_path / MAP, {"model.layers.0.mlp.up_proj": {"weights": "qint8", "activations": activations}}
    )
    assert rounded_activations(tmp_path) == expected
