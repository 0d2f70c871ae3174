import json

import pytest
import torch

from ptx import StepError
from ptx_onnx.packed import Grid, block_of, grids_of, pack, reason_against, stored_bits, to_olive, write_olive


def unpack(packed, bits):
    """Byte by byte, value by value."""
    rows = [
        [(byte >> (bits * part)) & (2**bits - 1) for byte in row for part in range(8 // bits)]
        for row in packed.tolist()
    ]
    return torch.tensor(rows)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_integers_are_packed_with_the_first_in_the_low_bits(bits):
    values = torch.randint(0, 2**bits, (3, 5), generator=torch.Generator().manual_seed(0))
    assert torch.equal(unpack(pack(values, bits), bits)[:, :5], values)


@pytest.mark.parametrize(
    ("bits", "symmetric"), [(2, True), (3, False), (4, False), (4, True), (5, False), (8, True)]
)
def test_a_layer_means_the_same_in_both_layouts(bits, symmetric):
    made, top = torch.Generator().manual_seed(bits), 2 ** (bits - 1)
    q = torch.randint(-top, top, (6, 96), generator=made).to(torch.int8)
    zero = torch.zeros(6, 3) if symmetric else torch.randint(-top, top, (6, 3), generator=made)
    grid = Grid(q, torch.rand(6, 3, generator=made) + 0.1, zero.to(torch.int8), bits)
    olive, width = to_olive(grid, 16), stored_bits(bits)
    ours = (
        unpack(olive["qweight"], width) - unpack(olive["qzeros"], width)[:, :6].repeat_interleave(16, 1)
    ) * olive["scales"].repeat_interleave(16, 1)
    theirs = (q.float() - grid.zero.repeat_interleave(32, 1).float()) * grid.scale.repeat_interleave(32, 1)
    torch.testing.assert_close(ours, theirs)


def test_a_group_is_cut_into_the_largest_blocks_there_are():
    assert [block_of(*pair) for pair in ((256, 2), (1024, 1), (96, 2), (768, 1))] == [128, 256, 16, 256]
    with pytest.raises(StepError, match="groups of 8 of 32 weights cannot be cut into blocks of 16"):
        block_of(32, 4)


def test_a_checkpoint_is_written_with_the_grid_it_had(packed_model, tmp_path):
    options = write_olive(packed_model, tmp_path / "olive")
    config = json.loads((tmp_path / "olive" / "config.json").read_text())["quantization_config"]
    assert options == {"fuse_qkv": True}
    assert (config["quant_method"], config["bits"], config["group_size"], len(config["overrides"])) == (
        "olive",
        4,
        16,
        14,
    )
    grids = {name: found for name, found in grids_of(packed_model) if isinstance(found, Grid)}
    assert len(grids) == 14
    assert {grid.bits for grid in grids.values()} == {3}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quant_method": "gptq"}, "its format is gptq"),
        (
            {"config_groups": {"group_0": {"weights": {"type": "float", "num_bits": 8}}}},
            "not packed integers",
        ),
        (
            {"config_groups": {"group_0": {"weights": {"type": "int", "num_bits": 8}}}},
            "its 8 bits do not fit into int4",
        ),
        (
            {
                "config_groups": {
                    "group_0": {
                        "weights": {"type": "int", "num_bits": 4},
                        "input_activations": {"num_bits": 8},
                    }
                }
            },
            "rounds activations",
        ),
        (
            {"config_groups": {"group_0": {"weights": {"type": "int", "num_bits": 4, "actorder": "group"}}}},
            "side by side",
        ),
        (
            {"config_groups": {"group_0": {"weights": {"type": "int", "num_bits": 4, "group_size": 8}}}},
            "no blocks of 16",
        ),
        ({}, ""),
    ],
)
def test_what_cannot_be_taken_over_is_said(packed_model, tmp_path, change, said):
    folder = tmp_path / "model"
    folder.mkdir()
    config = json.loads((packed_model / "config.json").read_text())
    config["quantization_config"] |= change
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").symlink_to(packed_model / "model.safetensors")
    assert said in reason_against(folder, "int4")
    assert bool(reason_against(folder, "int4")) is bool(said)


def test_a_layer_that_was_left_dense_keeps_the_others_from_being_taken_over(
    packed_model, chat_model, tmp_path
):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text((packed_model / "config.json").read_text())
    (folder / "model.safetensors").symlink_to(chat_model / "model.safetensors")
    assert "is not packed, and the builder takes all layers or none" in reason_against(folder, "int4")
