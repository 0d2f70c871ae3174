import pytest
import torch
from safetensors import safe_open
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from ptx.lm.compression.linear import as_linear_layers, back_to_own_form, name_experts
from ptx.lm.load import load_model
from ptx.lm.matrices import changeable
from tests.architectures import HEADS, build


def llama4():
    """Llama 4 without images, whose experts are stacks that only the library's own class unpacks."""
    mixture = {"num_local_experts": 4, "num_experts_per_tok": 1, "interleave_moe_layer_step": 1}
    config = AutoConfig.for_model("llama4_text", **HEADS, **mixture, intermediate_size_mlp=128)
    network = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.05, generator=torch.Generator().manual_seed(weight.numel()))
    return network


@pytest.mark.parametrize("name", ["gpt2", "mixtral", "qwen2_moe", "gpt_oss", "llama4"])
def test_a_network_of_linear_layers_computes_the_same_and_goes_back_to_its_own_form(tmp_path, name):
    network = llama4() if name == "llama4" else load_model(build(name, tmp_path / name))
    weights = {name: weight.clone() for name, weight in network.state_dict().items()}
    ids = torch.randint(3, 700, (1, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, kinds = network(ids).logits, {n: type(one.module) for n, one in changeable(network).items()}
        as_linear_layers(network)
        assert all(isinstance(one.module, nn.Linear) for one in changeable(network).values())
        assert torch.allclose(network(ids).logits, expected, atol=1e-5)
        back_to_own_form(network)
        assert {n: type(one.module) for n, one in changeable(network).items()} == kinds
        after = network.state_dict()
        assert after.keys() == weights.keys()
        assert all(torch.equal(after[name], weight) for name, weight in weights.items())
        assert torch.allclose(network(ids).logits, expected, atol=1e-5)


def test_experts_are_saved_under_the_names_of_the_architectures_checkpoints(tmp_path):
    folder = build("mixtral", tmp_path / "mixtral")
    network = load_model(folder)
    as_linear_layers(network)
    name_experts(network)
    network.save_pretrained(tmp_path / "saved")
    with (
        safe_open(folder / "model.safetensors", "pt") as old,
        safe_open(tmp_path / "saved/model.safetensors", "pt") as new,
    ):
        assert set(new.keys()) == set(old.keys())
        for name in old.keys():  # noqa: SIM118 (the file is no mapping)
            assert torch.equal(old.get_tensor(name), new.get_tensor(name)), name
