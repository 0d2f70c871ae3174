import pytest
import torch
from safetensors import safe_open
from torch import nn

from ptx.lm.compression.linear import as_linear_layers, back_to_own_form, name_experts
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.matrices import changeable
from tests.architectures import build


@pytest.mark.parametrize("name", ["gpt2", "mixtral", "qwen2_moe", "gpt_oss"])
def test_a_network_of_linear_layers_computes_the_same_and_goes_back_to_its_own_form(tmp_path, name):
    folder = build(name, tmp_path / name)
    network = load_model(folder)
    weights = {name: weight.clone() for name, weight in network.state_dict().items()}
    ids = torch.tensor([load_tokenizer(folder)("The cat sat on the red mat.")["input_ids"]])
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
