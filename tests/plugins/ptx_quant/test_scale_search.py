import pytest
import torch

from ptx_quant.scale_search import squared_error


def test_the_squared_error_is_that_of_the_outputs_of_all_tokens():
    generator = torch.Generator().manual_seed(0)
    x, moved = torch.randn(50, 6, generator=generator), torch.randn(4, 6, generator=generator)
    direct = float((x @ moved.T).square().sum(1).mean())
    assert squared_error(moved, x.T @ x / len(x)) == pytest.approx(direct, rel=1e-5)
