import math

import pytest
import torch

from ptx_prune.solver import outlier_share, owl, smallest, smallest_n_of_m, threshold_over, wanda_scores


def test_the_smallest_share_goes_exactly_and_ties_by_position():
    mask = smallest(torch.tensor([[3.0, 1.0], [1.0, 1.0]]), 0.5)
    assert mask.tolist() == [[False, True], [True, False]]
    assert int(smallest(torch.ones(10, 10), 0.37).sum()) == 37


def test_n_of_m_takes_the_smallest_of_every_group():
    scores = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
    mask = smallest_n_of_m(scores, 2, 4)
    for row, gone in zip(scores, mask, strict=True):
        for start in (0, 4):
            order = sorted(range(4), key=lambda i: float(row[start + i]))
            assert [bool(gone[start + i]) for i in range(4)] == [i in order[:2] for i in range(4)]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_the_global_threshold_is_the_sorted_value(share):
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(7, 9, generator=generator), torch.randn(20, generator=generator) * 1e-3]
    every = torch.cat([weight.abs().flatten() for weight in weights]).sort().values
    count = round(share * len(every))
    assert threshold_over(weights, share) == (float(every[count - 1]) if count else 0.0)


def test_wanda_scores_a_weight_by_its_size_times_the_norm_of_its_input():
    weight, norms = torch.tensor([[1.0, -2.0], [-3.0, 0.5]]), torch.tensor([2.0, 10.0])
    assert wanda_scores(weight, norms).tolist() == [[2.0, 20.0], [6.0, 5.0]]


def test_outliers_are_counted_against_the_mean_of_all_matrices_together():
    assert outlier_share([torch.tensor([1.0, 1.0, 1.0]), torch.tensor([1.0, 16.0])], 3.9) == pytest.approx(
        1 / 5
    )
    assert outlier_share([torch.ones(5)], 1.5) == 0.0


def test_owl_keeps_the_mean_and_the_range_and_spares_layers_with_outliers():
    shares, sizes = [0.01, 0.04, 0.02], [100, 100, 300]
    found = owl(shares, sizes, 0.6, 0.08)
    assert found[1] < found[2] < found[0]
    assert max(found) - min(found) == pytest.approx(2 * 0.08)
    assert sum(s * n for s, n in zip(found, sizes, strict=True)) / sum(sizes) == pytest.approx(0.6)
    assert owl([0.1, 0.1], [1, 1], 0.5, 0.08) == [0.5, 0.5]


def test_owl_agrees_with_the_authors_code():
    """(x - min) * (1 / (max - min) * Lamda * 2) for all layers; x - mean + (1 - sparsity_ratio) is kept."""
    shares, sparsity, spread = [3.0, 1.0, 2.5, 1.2], 0.7, 0.08
    ratio = torch.tensor(shares, dtype=torch.float64)
    ratio = (ratio - ratio.min()) * (1 / (ratio.max() - ratio.min()) * spread * 2)
    kept = ratio - ratio.mean() + (1 - sparsity)
    assert owl(shares, [1] * 4, sparsity, spread) == pytest.approx((1 - kept).tolist())
    assert math.isclose(sum(owl(shares, [1] * 4, sparsity, spread)) / 4, sparsity)
