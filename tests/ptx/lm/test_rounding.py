"""Trained weights in few digits: right on average, and untouched where nothing is lost."""

import pytest
import torch

from ptx.lm.rounding import NEAREST, narrowed, rounded

DTYPES = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.05, -0.05, 1.0, 0.9999, 300.0])
def test_a_change_below_half_a_step_is_kept_on_average(dtype, value):
    start = torch.full((200_000,), value).to(dtype).float()
    step = float(
        (torch.nextafter(start[:1].to(dtype), torch.tensor([1e4], dtype=dtype)).float() - start[:1]).abs()
    )
    trained = start + 0.2 * step
    assert torch.equal(rounded(trained, dtype, 0, NEAREST).float(), start)  # all is lost
    made = rounded(trained, dtype, 0).float()
    assert set(made.unique().tolist()) <= {float(start[0]), float(start[0]) + step}
    assert float((made - start).mean()) == pytest.approx(0.2 * step, rel=0.05)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_the_dtype_holds_stays_to_the_bit(dtype):
    held = torch.cat([torch.randn(1000), torch.tensor([0.0, -0.0, 1.0, float("inf"), -2.0])]).to(dtype)
    assert torch.equal(rounded(held.float(), dtype, 3), held)
    assert rounded(torch.tensor([float("nan")]), dtype, 3).isnan().all()


def test_the_same_seed_rounds_alike_and_each_matrix_in_its_own_way():
    network = torch.nn.ModuleList([torch.nn.Linear(64, 64, bias=False) for _ in range(2)])
    network[1].load_state_dict(network[0].state_dict())
    network.register_buffer("scale", torch.tensor([0.1]))
    copies = []
    for seed in (0, 0, 1):
        twin = torch.nn.ModuleList([torch.nn.Linear(64, 64, bias=False) for _ in range(2)])
        twin.load_state_dict({name: one for name, one in network.state_dict().items() if name != "scale"})
        copies.append(narrowed(twin, torch.bfloat16, seed))
    same, again, other = ([part.weight for part in one] for one in copies)
    assert torch.equal(same[0], again[0])
    assert not torch.equal(same[0], other[0])
    assert not torch.equal(same[0], same[1])
    assert narrowed(network, torch.bfloat16, 0).scale.dtype == torch.bfloat16


def test_no_digits_are_lost_in_the_same_or_a_wider_dtype():
    weight = torch.randn(100)
    assert torch.equal(rounded(weight, torch.float32, 0), weight)
    assert torch.equal(rounded(weight, torch.float64, 0), weight.double())


def test_a_weight_is_rounded_in_parts_that_are_drawn_anew(monkeypatch):
    monkeypatch.setattr("ptx.lm.rounding.PART", 64)
    made = rounded(torch.full((4, 64), 0.0501), torch.bfloat16, 0)
    assert made.shape == (4, 64)
    assert not torch.equal(made[0], made[1])
