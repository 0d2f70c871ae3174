"""Float32 by oneDNN: the same products and gradients to a few digits."""

import pytest
import torch

from ptx import machine
from ptx.lm import products


@pytest.fixture
def used(monkeypatch):
    """oneDNN in place of MKL on any processor; PyTorch's own way is back afterwards."""
    now = torch.nn.Linear.forward
    monkeypatch.setattr(torch.nn.Linear, "forward", getattr(now, "plain", now))
    monkeypatch.setattr(machine, "mkl_leaves_avx512_unused", lambda: True)
    monkeypatch.delenv(products.NAME, raising=False)
    seen = []
    op = torch.ops.mkldnn._linear_pointwise
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", lambda *given: seen.append(1) or op(*given))
    products.use_the_faster()
    return seen


@pytest.mark.parametrize("shape", [(64,), (1, 64), (3, 5, 64)])
@pytest.mark.parametrize("bias", [True, False])
def test_products_are_those_of_mkl_to_the_last_digits(used, shape, bias):
    layer = torch.nn.Linear(64, 48, bias=bias)
    given = torch.randn(*shape)
    with torch.inference_mode():
        made = layer(given)
    assert used
    assert made.shape == (*shape[:-1], 48)
    exact = given.double() @ layer.weight.double().T + (layer.bias.double() if bias else 0)
    assert (made - exact).abs().max() < 1e-6 * exact.abs().max()


def test_a_slice_is_multiplied_as_it_lies(used):
    layer = torch.nn.Linear(8, 4)
    given = torch.randn(6, 16)[::2, ::2]
    with torch.no_grad():
        assert torch.allclose(layer(given), layer(given.contiguous()), atol=1e-6)
    assert len(used) == 2


@pytest.mark.parametrize("shape", [(64,), (5, 64), (3, 5, 64)])
@pytest.mark.parametrize("frozen", [(), ("weight",), ("bias",), ("weight", "bias"), ("inputs",)])
def test_gradients_are_those_of_pytorch(used, shape, frozen):
    layer, given = torch.nn.Linear(64, 48), torch.randn(*shape, requires_grad="inputs" not in frozen)
    for name in frozen:
        if name != "inputs":
            getattr(layer, name).requires_grad_(False)
    leaves = [one for one in (given, layer.weight, layer.bias) if one.requires_grad]
    found = torch.autograd.grad(layer(given).sin().sum(), leaves)
    assert used
    expected = torch.autograd.grad(
        torch.nn.functional.linear(given, layer.weight, layer.bias).sin().sum(), leaves
    )
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def test_autocast_and_other_dtypes_are_left_to_pytorch(used):
    layer = torch.nn.Linear(8, 4)
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(torch.randn(2, 8)).dtype == torch.bfloat16
        layer.bfloat16()(torch.randn(2, 8).bfloat16())
        layer.double()(torch.randn(2, 8).double())
        layer.float()(torch.randn(0, 8))
        layer.to("meta")(torch.randn(2, 8, device="meta"))
    assert not used


def test_it_can_be_switched_off_and_is_not_used_where_mkl_is_fast(monkeypatch):
    monkeypatch.setattr(machine, "mkl_leaves_avx512_unused", lambda: True)
    monkeypatch.setenv(products.NAME, "0")
    assert not products.wanted()
    monkeypatch.delenv(products.NAME)
    monkeypatch.setattr(machine, "mkl_leaves_avx512_unused", lambda: False)
    assert not products.wanted()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2 avx512f avx512_bf16\n", True),
        ("vendor_id\t: AuthenticAMD\nflags\t\t: fpu avx2\n", False),
        ("vendor_id\t: GenuineIntel\nflags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd bf16\n", False),
    ],
)
def test_processors_with_avx512_that_are_not_intels_are_told_apart(monkeypatch, told, expected):
    monkeypatch.setattr(machine.Path, "read_text", lambda _self: told)
    machine.mkl_leaves_avx512_unused.cache_clear()
    try:
        assert machine.mkl_leaves_avx512_unused() is expected
    finally:
        machine.mkl_leaves_avx512_unused.cache_clear()
