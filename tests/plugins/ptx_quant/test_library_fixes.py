import pytest
import torch
from torch import nn

from ptx.lm.compression.network import targeted_layers
from ptx.lm.load import load_model
from ptx_quant import AWQ, GPTQ, SpinQuant
from ptx_quant.library_fixes import mask_of, norms

FAST = {"samples": 6, "max_length": 64}


def test_only_layers_with_a_share_of_zeros_count_as_pruned():
    weights = torch.ones(2, 4, 8)
    weights[0, :, ::2] = 0
    weights[1, 0, 0] = 0  # 1 of 32: by chance
    mask = mask_of(weights)
    assert torch.equal(mask[0], weights[0] == 0)
    assert not bool(mask[1].any())
    assert mask_of(torch.ones(1, 2, 3)) is None


def test_norms_are_found_by_name():
    network = nn.ModuleDict({"input_layernorm": nn.LayerNorm(4), "up_proj": nn.Linear(4, 4)})
    assert norms(network) == [network["input_layernorm"]]


@pytest.mark.slow
def test_awq_runs_without_an_accelerator(plain_call, squeeze):
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform import AWQModifier

    if torch.accelerator.is_available():
        pytest.skip("there is an accelerator")
    with pytest.raises(RuntimeError, match="accelerator"):
        plain_call(
            AWQModifier(n_grid=3),
            QuantizationModifier(targets=["Linear"], scheme="W8A8", ignore=["re:.*lm_head"]),
        )
    squeeze(AWQ(args={"n_grid": 3}, **FAST))


@pytest.mark.slow
def test_gptq_keeps_the_mask_of_a_pruned_model(plain_call, pruned, squeeze, sparsity):
    from llmcompressor.modifiers.gptq import GPTQModifier

    network, _ = plain_call(
        GPTQModifier(targets=["Linear"], scheme="W8A8", ignore=["re:.*lm_head"]), model=pruned
    )
    assert sparsity(network) < 0.47  # of 0.5
    run, ref = squeeze(GPTQ(bits=8, **FAST), pruned)
    assert run.console.progressed[-1]["mask_kept"] == 1
    made = load_model(ref)
    made(input_ids=torch.tensor([[1, 2, 3]]))
    for name, layer in targeted_layers(load_model(pruned), []).items():
        assert bool((made.get_submodule(name).weight[layer.weight == 0] == 0).all())


@pytest.mark.slow
def test_a_rotation_leaves_the_function_as_it_is(plain_call, plain_model, squeeze):
    from llmcompressor.modifiers.transform import SpinQuantModifier

    from ptx_checks.memory import log_probabilities

    wanted = log_probabilities(load_model(plain_model))
    network, _ = plain_call(SpinQuantModifier(rotations=["R1"]), data=False)
    assert not torch.allclose(log_probabilities(network), wanted, atol=2e-3)
    _, ref = squeeze(SpinQuant(then="none"))
    assert torch.allclose(log_probabilities(load_model(ref)), wanted, atol=2e-3)
