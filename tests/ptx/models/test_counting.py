"""Weights are counted as a model has them, however they are stored."""

import pytest

from ptx.models.counting import commonest_dtype, count_weights, is_scale

AWQ = {"quantization_config": {"quant_method": "awq", "bits": 4}}
CT = {
    "quantization_config": {
        "config_groups": {
            "a": {"targets": ["re:.*mlp.*"], "weights": {"num_bits": 8}},
            "b": {"targets": ["re:.*attn.*"], "weights": {"num_bits": 4}},
        }
    }
}


@pytest.mark.parametrize(
    ("tensors", "config", "weights"),
    [
        ([("a.weight", "F32", [3, 4]), ("b.bias", "F32", [5])], {}, 17),
        ([("a.qweight", "I32", [2, 8]), ("a.scales", "F16", [2, 8]), ("a.qzeros", "I32", [2, 1])], AWQ, 128),
        ([("mlp.weight_packed", "I32", [4, 4]), ("mlp.weight_scale", "BF16", [4, 1])], CT, 64),
        ([("attn.weight_packed", "I32", [4, 4]), ("norm.weight", "F32", [4])], CT, 132),
    ],
)
def test_packed_integers_count_as_the_weights_that_they_hold(tensors, config, weights):
    assert count_weights(tensors, config) == weights


def test_the_type_is_that_of_most_values():
    assert commonest_dtype([("a", "BF16", [10, 10]), ("b", "F32", [10])]) == "bfloat16"
    assert commonest_dtype([]) == ""


def test_scales_are_no_weights():
    assert is_scale("model.layers.0.mlp.up_proj.weight_scale")
    assert not is_scale("model.layers.0.mlp.up_proj.weight")
