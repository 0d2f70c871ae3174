import pytest
import torch

from ptx_quant.stored import BYTES, CONFIG_BYTES, file_bytes, layer_bytes, packed, tensor_bytes


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("bits", "columns", "group"), [(3, 64, 32), (4, 44, -1), (5, 40, 8), (8, 32, -1)])
def test_a_packed_layer_takes_the_bytes_that_the_library_packs_it_into(bits, columns, group, symmetric):
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32

    rows = 48
    groups = 1 if group == -1 else columns // group
    found = packed(rows, columns, bits, group, symmetric=symmetric, scale="F32")
    assert found["weight_packed"][1] == list(
        pack_to_int32(torch.zeros(rows, columns, dtype=torch.int8), bits).shape
    )
    if not symmetric:
        zeros = pack_to_int32(torch.zeros(rows, groups, dtype=torch.int8), bits, packed_dim=0)
        assert found["weight_zero_point"][1] == list(zeros.shape)
    assert tensor_bytes(found) < layer_bytes(
        "layer", (rows, columns), bits, group, symmetric=symmetric, scale="F32"
    )
    assert BYTES["F32"] * rows * groups == tensor_bytes({"scale": found["weight_scale"]})


def test_a_file_has_at_most_the_bytes_that_were_computed(tmp_path):
    from safetensors.torch import save_file

    tensors = {f"layer{number}.weight": torch.ones(number + 1, 7) for number in range(5)}
    save_file(tensors, tmp_path / "model.safetensors")
    stored = {name: ("F32", list(tensor.shape)) for name, tensor in tensors.items()}
    length, computed = (tmp_path / "model.safetensors").stat().st_size, file_bytes(stored)
    assert tensor_bytes(stored) < length <= computed + CONFIG_BYTES
