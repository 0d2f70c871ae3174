"""The grid equals compressed-tensors' own bit for bit, zeros stay zero, and group sizes adapt to layers."""

import pytest
import torch

from ptx.lm.compression.grid import describe_group_sizes, group_for, groups_for, round_to_nearest


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(("bits", "group"), [(2, 8), (3, 8), (4, 32), (8, 16), (4, -1)])
def test_rounding_is_that_of_compressed_tensors_to_the_bit(bits, group, symmetric, dtype):
    from compressed_tensors.quantization import QuantizationArgs, fake_quantize
    from compressed_tensors.quantization.utils import calculate_qparams

    weight = torch.randn(40, 96, generator=torch.Generator().manual_seed(1)).to(dtype)
    weight[3, :32] = 0  # a group without a range
    weight[5] = weight[5].abs()  # groups on one side of zero
    strategy = {"strategy": "group", "group_size": group} if group > 0 else {"strategy": "channel"}
    args = QuantizationArgs(num_bits=bits, symmetric=symmetric, **strategy)
    grouped = weight.reshape(40, -1, group if group > 0 else 96)
    scale, zero = calculate_qparams(grouped.amin(-1), grouped.amax(-1), args)
    assert torch.equal(
        round_to_nearest(weight, bits, group, symmetric=symmetric), fake_quantize(weight, scale, zero, args)
    )


def test_two_bits_by_hand():
    weight = torch.tensor([[-1.5, 0.4, 0.6, 1.5]])  # the scale is 1: -2, -1, 0, 1; halves go to the even one
    assert round_to_nearest(weight, 2, 4).tolist() == [[-2.0, 0.0, 1.0, 1.0]]
    lifted = torch.tensor([[0.0, 1.0, 2.0, 3.0]])  # with a zero point all four are on the grid
    assert round_to_nearest(lifted, 2, 4, symmetric=False).tolist() == lifted.tolist()


def test_a_zero_stays_zero_on_every_grid():
    weight = torch.randn(4, 16, generator=torch.Generator().manual_seed(2))
    weight[:, ::2] = 0
    for symmetric in (True, False):
        assert bool((round_to_nearest(weight, 3, 8, symmetric=symmetric)[:, ::2] == 0).all())


def test_group_sizes_are_halved_until_they_divide_a_layer_and_that_is_described():
    assert [group_for(width, 128) for width in (256, 64, 96, 172, 128)] == [128, 64, 32, -1, 128]
    widths = {"a.q_proj": 256, "a.down_proj": 172, "a.o_proj": 96}
    groups = groups_for(widths, 128, fixed=False)
    assert (
        describe_group_sizes(widths, groups, 128)
        == "group size 128 does not divide the inputs of some layers; o_proj: groups of 32; down_proj: one"
        " scale per output channel"
    )
    fixed = groups_for(widths, 16, fixed=True)
    assert set(fixed) == {"a.q_proj", "a.o_proj"}
    assert (
        describe_group_sizes(widths, fixed, 16)
        == "group size 16 does not divide the inputs of some layers; down_proj: left alone"
    )
    assert describe_group_sizes(widths, groups_for(widths, -1, fixed=False), -1) == ""
