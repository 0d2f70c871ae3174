import pytest
import torch
from safetensors.torch import save_file

from ptx_checks.folders import Folder


@pytest.fixture
def folder(tmp_path):
    tensors = {
        "up.weight_packed": torch.zeros(4, 2, dtype=torch.int32),
        "up.weight_scale": torch.ones(4, 1, dtype=torch.bfloat16),
        "up.bias": torch.ones(4),
        "norm.weight": torch.ones(3),
    }
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return Folder(tmp_path)


def test_bits_are_those_of_the_weights_and_of_all_but_the_bias(folder):
    assert folder.bits("up") == (4 * 2 * 32, 4 * 2 * 32 + 4 * 16)
    assert folder.bits("down") == (0, 0)


def test_tensors_are_read_by_name(folder):
    assert torch.equal(folder.tensor("norm.weight"), torch.ones(3))
    assert folder.tensor("nothing") is None
    assert (folder.types["up.weight_scale"], folder.shapes["up.weight_scale"]) == ("BF16", [4, 1])
