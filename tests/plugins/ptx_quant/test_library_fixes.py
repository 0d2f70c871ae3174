import pytest
import torch
from torch import nn

from ptx.lm.compression.network import targeted_layers
from ptx.lm.load import load_model, load_tokenizer
from ptx_quant import AWQ, GPTQ, RTN, SpinQuant
from ptx_quant.library_fixes import inputs_shared, mask_of, norms, own_solve, rounded_alike

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


def kernel(x, scale, zero_point, q_min, q_max, args, dtype=None, global_scale=None):
    """What compressed-tensors' Triton kernel computes on a GPU: it divides in float32."""
    from compressed_tensors.quantization.quant_args import round_to_quantized_type_args

    scale = scale.float() if global_scale is None else scale.float() / global_scale.float()
    scaled = x.float() / scale + (0 if zero_point is None else zero_point.float())
    rounded = round_to_quantized_type_args(tensor=scaled, args=args, min=q_min, max=q_max)
    return rounded.to(x.dtype if dtype is None else dtype)


@pytest.fixture
def gpu_kernel(monkeypatch):
    """Packing uses the arithmetic of the kernel, as on a GPU."""
    from compressed_tensors.quantization.lifecycle import forward_helpers  # noqa: F401 (it registers kernels)
    from compressed_tensors.utils.impl_backend import ImplBackend

    monkeypatch.setitem(ImplBackend._backends, "_quantize", [(kernel, lambda *_, **__: True, 0)])


@pytest.mark.usefixtures("gpu_kernel")
@pytest.mark.parametrize(("dtype", "fault"), [(torch.bfloat16, 0.005), (torch.float32, 0)])
def test_packing_on_a_gpu_rounds_as_the_model_in_memory_does(dtype, fault):
    from compressed_tensors.quantization import QuantizationArgs, fake_quantize, quantize

    weight = torch.randn(64, 256, generator=torch.Generator().manual_seed(0)).to(dtype)
    args = QuantizationArgs(num_bits=4, strategy="channel", symmetric=True)
    scale = weight.abs().amax(1, keepdim=True) / 7.5
    zero = torch.zeros_like(scale, dtype=torch.int8)
    memory = (fake_quantize(weight, scale, zero, args).float() / scale.float()).round()
    plain = quantize(weight, scale, zero, args, dtype=torch.int8)
    assert float((plain != memory).float().mean()) >= fault, "the library's fault"
    with rounded_alike():
        assert torch.equal(quantize(weight, scale, zero, args, dtype=torch.int8).float(), memory)
    assert torch.equal(quantize(weight, scale, zero, args, dtype=torch.int8), plain)


@pytest.mark.slow
@pytest.mark.usefixtures("gpu_kernel")
@pytest.mark.parametrize("config", [RTN(), RTN(scheme="fp8_dynamic")], ids=["rtn", "fp8"])
def test_a_model_in_bfloat16_is_saved_as_it_was_in_memory_with_the_kernel_of_a_gpu(
    squeeze, plain_model, tmp_path, config
):
    folder = tmp_path / "half"
    load_model(plain_model, "bfloat16").save_pretrained(folder)
    load_tokenizer(plain_model).save_pretrained(folder)
    run, _ = squeeze(config, folder)
    assert run.console.progressed[-1]["reload_kl"] < 1e-5


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


@pytest.mark.parametrize("strategy", ["channel", "group"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
def test_the_own_solve_is_the_library_s_to_the_last_bit(strategy, symmetric, layers):
    from compressed_tensors.quantization import QuantizationArgs
    from llmcompressor.modifiers.gptq.gptq_quantize import quantize_weight

    draw = torch.Generator().manual_seed(3)
    weights = torch.randn(layers, 24, 48, generator=draw)
    inputs = torch.randn(layers, 96, 48, generator=draw)
    group = 16 if strategy == "group" else 48
    tops = weights.unflatten(-1, (48 // group, group)).abs().amax(-1)
    zeros = torch.zeros_like(tops) if symmetric else torch.randint(-2, 3, tops.shape, generator=draw)
    args = QuantizationArgs(
        num_bits=4,
        strategy=strategy,
        group_size=group if strategy == "group" else None,
        symmetric=symmetric,
        actorder="static",
    )

    def solved():
        return quantize_weight(
            weights.clone(), inputs.mT @ inputs, tops / 7, zeros.to(torch.int8), None, args, blocksize=16
        )

    expected = solved()
    with own_solve():
        found = solved()
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one, other)


def test_layers_that_read_the_same_tensor_have_one_sum_made_and_it_is_theirs(monkeypatch):
    from llmcompressor.modifiers.gptq import base

    usual, made = base.accumulate_hessian, []
    monkeypatch.setattr(base, "accumulate_hessian", lambda *given: made.append(1) or usual(*given))
    one, other = nn.Linear(8, 4), nn.Linear(8, 6)
    sums = {layer: (torch.zeros(8, 8), torch.zeros(())) for layer in (one, other)}
    batches = [torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    with inputs_shared():
        for batch in batches:
            sums = {layer: base.accumulate_hessian(batch, layer, *before) for layer, before in sums.items()}
    assert len(made) == len(batches)
    expected = torch.zeros(8, 8), torch.zeros(())
    for batch in batches:
        expected = usual(batch, one, *expected)
    for found in sums.values():
        assert torch.equal(found[0], expected[0])
        assert found[1] == 6
