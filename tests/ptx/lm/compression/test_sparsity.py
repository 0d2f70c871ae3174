import pytest
import torch

from ptx.lm.compression.sparsity import has_pattern, parse_pattern


def test_a_pattern_is_zeros_and_group_size():
    assert parse_pattern("2:4") == (2, 4)
    assert parse_pattern("12:16") == (12, 16)


@pytest.mark.parametrize(
    ("row", "has"),
    [
        ([0, 1, 0, 1, 1, 1, 0, 0], True),
        ([0, 0, 0, 1, 1, 0, 0, 1], True),  # more zeros than asked for
        ([0, 0, 0, 0, 1, 1, 1, 0], False),  # half are zeros, but not in every group
    ],
)
def test_every_group_of_every_row_must_have_the_zeros(row, has):
    good = torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1])
    assert has_pattern(torch.stack([good, torch.tensor(row).float()]), "2:4") is has


def test_a_row_that_the_group_does_not_divide_has_no_pattern():
    assert not has_pattern(torch.zeros(2, 6), "2:4")
