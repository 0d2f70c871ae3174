import torch

from ptx.lm.load import load_model
from ptx_checks.folders import Folder
from ptx_checks.layers import compared, inspect, share


def test_a_change_is_its_squared_norm_and_a_mask_is_what_stays_zero():
    old = torch.tensor([[0.0, 0.0, 3.0, 4.0]])
    new = torch.tensor([[0.0, 1.0, 3.0, 4.0]])
    found = compared(old, new)
    assert found == {
        "compared": True,
        "changed": True,
        "zeros_before": 0.5,
        "mask_kept": 0.5,
        "error": 1.0,
        "norm": 25.0,
    }


def test_a_few_zeros_are_no_mask():
    old = torch.ones(10, 10)
    old[0, 0] = 0
    assert compared(old, torch.ones(10, 10))["mask_kept"] == 1.0


def test_a_weight_of_another_shape_is_not_compared():
    assert compared(None, torch.ones(2, 2)) == {"compared": False}
    assert compared(torch.ones(2, 3), torch.ones(2, 2)) == {"compared": False}


def test_every_linear_layer_but_the_output_layer_is_inspected(plain_model):
    network, folder = load_model(plain_model), Folder(plain_model)
    layers = inspect(network, folder, folder, ("down_proj",), "2:4")
    assert len(layers) == 14
    assert not any(layer.name.endswith("lm_head") for layer in layers)
    assert {layer.name.rpartition(".")[2] for layer in layers if not layer.asked} == {"down_proj"}
    assert not any(layer.changed or layer.pattern for layer in layers)
    assert {layer.bits for layer in layers} == {32.0}


def test_share_is_the_share_of_true_values():
    assert share(torch.tensor([True, False, False, False])) == 0.25
