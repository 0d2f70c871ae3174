import math

import pytest
import torch

from ptx_structured_pruning.solver import (
    angular_distance,
    best_block,
    block_influence,
    components,
    gate_score,
    kept_heads,
    largest,
    lowest,
    over_tokens,
)


def test_a_layer_that_changes_nothing_has_no_influence_and_one_that_turns_everything_has_two():
    stream = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    assert block_influence(stream, stream * 3) == pytest.approx(0, abs=1e-9)
    assert block_influence(stream, -stream) == pytest.approx(2)
    assert block_influence(
        torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 2.0], [1.0, 0.0]])
    ) == pytest.approx(0.5)


def test_angular_distance_is_the_angle_over_pi():
    east = torch.tensor([1.0, 0.0])
    assert angular_distance(east, torch.tensor([0.0, 5.0])) == pytest.approx(0.5)
    assert angular_distance(east, torch.tensor([1.0, 1.0])) == pytest.approx(0.25)
    assert angular_distance(east, -east) == pytest.approx(1.0)
    assert angular_distance(east, east * (1 + 1e-7)) == pytest.approx(0.0, abs=1e-6)


def test_the_block_with_the_smallest_distance_goes_whole():
    assert best_block([0.4, 0.1, 0.3], 2) == [1, 2]
    assert lowest([0.4, 0.1, 0.3, 0.05], 2) == [1, 3]


def test_the_gate_score_is_the_squared_derivative_of_the_loss_by_a_gate():
    generator = torch.Generator().manual_seed(0)
    values, weight = torch.randn(7, 3, 4, generator=generator), torch.randn(12, generator=generator)
    gate = torch.ones(3, requires_grad=True)
    gated = values * gate[:, None]
    gated.retain_grad()
    (gated.flatten(1) @ weight).tanh().sum().backward()
    assert torch.allclose(gate_score(values, gated.grad), gate.grad.square(), rtol=1e-5)
    assert torch.allclose(gate_score(values[:, :, 0], torch.ones(7, 3)), values[:, :, 0].sum(0).square())


def test_activations_are_put_together_by_mean_or_norm():
    values = torch.tensor([[3.0, -1.0], [-4.0, 1.0]])
    assert over_tokens(values, "mean").tolist() == [3.5, 1.0]
    assert over_tokens(values, "l2").tolist() == pytest.approx([5.0, math.sqrt(2)])


def test_the_largest_come_in_order_and_ties_go_to_the_earlier():
    assert largest(torch.tensor([1.0, 5.0, 3.0, 5.0]), 3).tolist() == [1, 2, 3]
    assert largest(torch.ones(4), 2).tolist() == [0, 1]


def test_query_heads_stay_with_their_group_and_every_group_keeps_as_many():
    scores = torch.tensor([9.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 4.0, 0.0])  # three groups of three
    groups, queries = kept_heads(scores, 3, 3, 2, 2)
    assert groups.tolist() == [0, 2]
    assert queries.tolist() == [0, 1, 6, 7]
    assert kept_heads(scores, 3, 3, 3, 1)[1].tolist() == [0, 5, 6]
    assert components(torch.tensor([0, 2]), 3).tolist() == [0, 1, 2, 6, 7, 8]
