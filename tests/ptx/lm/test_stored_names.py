import pytest
import torch
from safetensors import safe_open

from ptx.lm.load import load_model
from ptx.lm.matrices import EXPERTS, changeable, inventory
from ptx.lm.stored_names import is_stored, own_name, stored_parts, stored_tensor
from ptx.models.inspection import tensors_of, weight_files
from tests.architectures import build


def read_from(folder):

    files = {name: file for file in weight_files(folder) for name, _, _ in tensors_of(file)}

    def read(name):
        with safe_open(files[name], "pt") as file:
            return file.get_tensor(name)

    return files, read


@pytest.mark.parametrize("name", ["mixtral", "qwen3_moe"])
def test_a_stack_of_experts_is_found_in_the_files_expert_by_expert(tmp_path, name):
    folder = build(name, tmp_path / name)
    network = load_model(folder)
    files, read = read_from(folder)
    stacks = [one for one in changeable(network).values() if one.role == EXPERTS]
    assert len(stacks) == 6
    for one in stacks:
        assert len(stored_parts(one, files)) == 4
        assert torch.equal(stored_tensor(one, files, read), one.weight)


@pytest.mark.parametrize(
    ("name", "count", "there"),
    [
        ("granitemoe", 18, "model.layers.0.block_sparse_moe.input_linear.weight"),
        ("nemotron_h", 8, "backbone.layers.0.mixer.in_proj.weight"),
    ],
)
def test_a_matrix_that_transformers_renames_is_found_in_the_files(tmp_path, name, count, there):
    folder = build(name, tmp_path / name)
    network = load_model(folder)
    files, read = read_from(folder)
    found = changeable(network)
    assert len(found) == count
    assert all(is_stored(one, files) for one in inventory(network).values())
    assert there in {own_name(one, files) for one in found.values()}
    for one in found.values():
        assert torch.equal(stored_tensor(one, files, read), one.weight)
