"""What llm-compressor makes of a layer, against slow solvers written after the papers."""

import pytest
import torch

import ptx_prune
from ptx import ModelRef
from ptx.lm.compression.oneshot import calibration_batches
from ptx.lm.load import load_model, load_tokenizer
from ptx_prune import SparseGPT, Wanda

LAYER = "model.layers.0.self_attn.q_proj"  # the first layer: what comes before it is not compressed


def slow_sparsegpt(weight, inputs, mask_of, block, dampening=0.01):
    """Frantar and Alistarh 2023, algorithm 1, with equation (3) taken literally.

    The solve goes column by column and inverts the Hessian of the remaining columns anew each time.
    ``mask_of(scores)`` chooses the weights of a block to remove, by w^2 / [H^-1]_jj (eq. 4).
    """
    weight, inputs = weight.double().clone(), inputs.double()
    hessian = inputs.T @ inputs
    hessian += dampening * hessian.diagonal().mean() * torch.eye(len(hessian), dtype=torch.float64)
    columns = weight.shape[1]
    inverse_of = [torch.linalg.inv(hessian[j:, j:]) for j in range(columns)]
    for start in range(0, columns, block):
        stop = min(start + block, columns)
        diagonal = torch.stack([inverse_of[j][0, 0] for j in range(start, stop)])
        mask = mask_of(weight[:, start:stop] ** 2 / diagonal)
        for j in range(start, stop):
            gone = mask[:, j - start]
            error = torch.where(gone, weight[:, j] / inverse_of[j][0, 0], 0.0)
            weight[:, j:] -= error[:, None] * inverse_of[j][0][None, :]
            weight[gone, j] = 0.0
    return weight


def slow_wanda(weight, inputs, zeros_per_group, group):
    """Sun et al. 2023, algorithm 1: in every output's row, compare |w| * ||x||."""
    norms = inputs.double().square().sum(0).sqrt()
    pruned = weight.clone()
    for row in range(weight.shape[0]):
        for start in range(0, weight.shape[1], group):
            order = sorted(
                range(start, start + group), key=lambda j: float(weight[row, j].double().abs() * norms[j])
            )
            pruned[row, order[:zeros_per_group]] = 0
    return pruned


@pytest.fixture
def layer(make_run, make_data, plain_model):
    """``layer(config)``: the weight before, its calibration inputs (tokens, columns), the weight after."""

    def prune(config):
        data = make_data(
            "calibration",
            [{"text": f"Sentence {n} says {n * 7} things, and then it stops."} for n in range(12)],
        )
        run = make_run(plugins=[ptx_prune])
        made = run.host.first(
            "ptx_compress", run=run, compressor=config, model=ModelRef.of(plain_model), data=data
        )
        model, seen = load_model(plain_model), []
        module = model.get_submodule(LAYER)
        module.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().flatten(0, 1)))
        with torch.no_grad():
            for batch in calibration_batches(data, load_tokenizer(plain_model), config, run.seed):
                model(**batch)
        return (
            module.weight.detach(),
            torch.cat(seen),
            load_model(made.path).get_submodule(LAYER).weight.detach(),
        )

    return prune


@pytest.mark.slow
def test_sparsegpt_is_the_papers_solution_layer_by_layer(layer):
    def half(scores):
        return scores <= scores.flatten().sort().values[int(scores.numel() * 0.5)]  # the authors' code: <=

    before, inputs, after = layer(SparseGPT(sparsity=0.5, block_size=16, samples=12, max_length=64))
    expected = slow_sparsegpt(before, inputs, half, 16)
    assert torch.equal(after == 0, expected == 0)
    assert torch.allclose(after.double(), expected, atol=2e-4)
    moved = (after != 0) & ((after - before).abs() > 1e-3)
    assert float(moved.float().mean()) > 0.1  # it does adjust what stays


@pytest.mark.slow
def test_sparsegpt_2_4_is_the_papers_solution(layer):
    def two_of_four(scores):
        chosen = torch.topk(scores, 2, dim=1, largest=False).indices
        return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, chosen, True)

    before, inputs, after = layer(SparseGPT(pattern="2:4", block_size=4, samples=12, max_length=64))
    expected = slow_sparsegpt(before, inputs, two_of_four, 4)
    assert torch.equal(after == 0, expected == 0)
    assert torch.allclose(after.double(), expected, atol=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "zeros", "group"), [({"sparsity": 0.5}, 16, 32), ({"pattern": "2:4"}, 2, 4)]
)
def test_wanda_is_the_papers_solution(layer, settings, zeros, group):
    before, inputs, after = layer(Wanda(samples=12, max_length=64, **settings))
    assert torch.equal(after, slow_wanda(before, inputs, zeros, group))
