from collections import Counter

import pytest
import torch

from ptx.lm.compression.linear import as_linear_layers
from ptx.lm.load import load_model
from ptx.lm.matrices import (
    EMBEDDING,
    EXPERTS,
    LAYER,
    OUTPUT,
    ROUTER,
    changeable,
    described,
    inventory,
    is_mixture,
    kept,
)
from tests.architectures import build


def roles(network):
    return Counter(one.role for one in inventory(network).values())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama", {LAYER: 21, EMBEDDING: 1, OUTPUT: 1}),
        ("qwen3", {LAYER: 21, EMBEDDING: 1}),  # tied: the embedding is the output layer
        ("gpt2", {LAYER: 12, EMBEDDING: 2}),
        ("mixtral", {LAYER: 12, EXPERTS: 6, ROUTER: 3, EMBEDDING: 1, OUTPUT: 1}),
        # the gate of a shared expert is a linear layer with one output, and a router all the same
        ("qwen2_moe", {LAYER: 21, EXPERTS: 6, ROUTER: 6, EMBEDDING: 1, OUTPUT: 1}),
        ("mamba", {LAYER: 12, EMBEDDING: 1}),
    ],
)
def test_every_matrix_is_listed_once_with_its_role(tmp_path, name, expected):
    folder = build(name, tmp_path / name)
    assert roles(described(folder)) == expected, "without weights, from config.json"
    network = load_model(folder)
    assert roles(network) == expected
    matrices = sum(one.numel for one in inventory(network).values())
    assert matrices > 0.97 * network.num_parameters() - sum(
        weight.numel() for part, weight in network.named_parameters() if "conv1d" in part
    )


def test_a_view_has_outputs_and_inputs_whatever_way_the_weight_is_stored(tmp_path):
    network = load_model(build("gpt2", tmp_path / "gpt2"))
    matrix = changeable(network)["transformer.h.0.attn.c_attn"]
    assert matrix.view.shape == (1, 192, 64)
    assert matrix.inputs == 64
    matrix.view[0, 5, 7] = 3.0
    assert network.transformer.h[0].attn.c_attn.weight[7, 5] == 3.0, "a view changes the network"


def test_a_gate_is_a_router_only_in_a_mixture():
    class Gated(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = torch.nn.Linear(4, 4)

    assert not is_mixture(Gated())
    assert [one.role for one in inventory(Gated()).values()] == [LAYER]


def test_a_folder_that_describes_no_model_has_no_inventory(tmp_path):
    assert described(tmp_path) is None
    (tmp_path / "config.json").write_text('{"model_type": "no such type"}')
    assert described(tmp_path) is None


def test_a_pattern_finds_a_part_of_a_stack_by_every_name_that_it_has(tmp_path):
    network = load_model(build("mixtral", tmp_path / "mixtral"))
    stack = "model.layers.0.mlp.experts.gate_up_proj"
    whole = changeable(network)[stack]
    assert [piece.names[0].rpartition("experts.")[2] for piece in whole.pieces[:3]] == [
        "0.gate_proj",
        "0.up_proj",
        "1.gate_proj",
    ]
    for skip in (["gate_proj"], ["w1"]):
        left, out = whole.split(skip)
        assert torch.equal(out.meant(whole.weight), whole.weight[:, :128].flatten(0, 1)), skip
        assert torch.equal(left.meant(whole.weight), whole.weight[:, 128:].flatten(0, 1)), skip
        assert stack in kept(network, skip)
    assert len(whole.split([r"experts\.3\."])[1].pieces) == 2, "one expert"
    assert whole.split(["gate_up_proj"]) == (None, whole)
    assert stack not in kept(network, ["gate_up_proj"])
    assert whole.split(["o_proj"]) == (whole, None)


def test_experts_as_linear_layers_have_the_same_names(tmp_path):
    network = load_model(build("mixtral", tmp_path / "mixtral"))
    stacked = {names for one in changeable(network).values() for names in (p.names for p in one.pieces)}
    as_linear_layers(network)
    assert {piece.names for one in changeable(network).values() for piece in one.pieces} == stacked
