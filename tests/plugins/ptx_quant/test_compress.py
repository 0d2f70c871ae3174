import json

import pytest

from ptx.files import file_digest
from ptx.lm.compression.network import targeted_layers
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx_quant import AWQ, GPTQ, RTN, AutoRound, SmoothQuant, SpinQuant

FAST = {"samples": 6, "max_length": 64}


def weights_of(ref, group="group_0"):
    return json.loads((ref.path / "config.json").read_text())["quantization_config"]["config_groups"][group][
        "weights"
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "stored"),
    [
        (RTN(), {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "symmetric": True}),
        (
            RTN(bits=3, group_size=-1, symmetric=False),
            {"num_bits": 3, "strategy": "channel", "symmetric": False},
        ),
        (RTN(scheme="w8a8_static", **FAST), {"num_bits": 8, "strategy": "channel"}),
        (RTN(scheme="fp8_dynamic"), {"num_bits": 8, "type": "float"}),
        (RTN(scheme="nvfp4", dtype="bfloat16", **FAST), {"num_bits": 4, "type": "float", "group_size": 16}),
        (RTN(scheme="mxfp4a16", dtype="bfloat16"), {"num_bits": 4, "type": "float", "group_size": 32}),
        (RTN(observer="mse", kv_cache="fp8", **FAST), {"num_bits": 4, "observer": "memoryless_mse"}),
        (GPTQ(bits=2, act_order=False, **FAST), {"num_bits": 2}),
        (GPTQ(scheme="w4a16_asym", observer="imatrix_mse", **FAST), {"num_bits": 4, "symmetric": False}),
        (AWQ(args={"n_grid": 3}, **FAST), {"num_bits": 4}),
        (SmoothQuant(then="gptq", **FAST), {"num_bits": 8, "strategy": "channel"}),
        (SpinQuant(), {"num_bits": 4}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else type(value).__name__,
)
def test_every_scheme_is_stored_as_asked_and_reads_back_as_it_was_in_memory(squeeze, config, stored):
    run, ref = squeeze(config)
    saved = weights_of(ref)
    assert {name: saved[name] for name in stored} == stored
    logged = run.console.progressed[-1]
    assert logged["layers_changed"] == logged["layers"] == 14
    assert logged["reload_kl"] < 1e-4
    assert logged["bits_per_weight"] < config.format.bits + 6  # layers of 32 inputs: scales weigh a lot


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [SmoothQuant(then="none", **FAST), SpinQuant(then="none")], ids=["smoothquant", "spinquant"]
)
def test_a_change_of_coordinates_alone_leaves_a_full_precision_model_with_the_same_answers(
    squeeze, plain_model, config
):
    import torch

    from ptx_checks.memory import log_probabilities

    run, ref = squeeze(config)
    assert "quantization_config" not in json.loads((ref.path / "config.json").read_text())
    assert torch.allclose(
        log_probabilities(load_model(ref)), log_probabilities(load_model(plain_model)), atol=2e-3
    )
    assert run.console.progressed[-1]["layers_changed"] > 0
    _, quantised = squeeze(GPTQ(scheme="w8a8", **FAST), ref.path, "second")
    assert weights_of(quantised)["num_bits"] == 8


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(squeeze):
    made = [squeeze(GPTQ(**FAST), name=f"step{n}", seed=seed)[1] for n, seed in enumerate((0, 0, 1))]
    digests = [file_digest(ref.path / "model.safetensors") for ref in made]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.slow
def test_layers_that_a_group_does_not_divide_are_handled_by_rule_and_told(
    squeeze, tmp_path, plain_model, random_llama
):
    odd = tmp_path / "odd"
    save_model(random_llama(262, intermediate_size=44), load_tokenizer(plain_model), odd)
    run, ref = squeeze(RTN(group_size=16), odd, "first")
    assert any("down_proj: one scale per output channel" in line for line in run.console.lines)
    assert {weights_of(ref, f"group_{n}")["strategy"] for n in range(2)} == {"group", "channel"}
    run, ref = squeeze(RTN(scheme="nvfp4a16", dtype="bfloat16"), odd, "second")
    assert any(
        "group size 16 does not divide the inputs of some layers; down_proj: left alone" in line
        for line in run.console.lines
    )
    network = load_model(ref, "bfloat16")
    before = load_model(odd, "bfloat16")
    assert network.model.layers[0].mlp.down_proj.weight.equal(before.model.layers[0].mlp.down_proj.weight)


@pytest.fixture
def random_llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    def make(vocabulary, **config):
        settings = {
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 256,
            "initializer_range": 0.2,
        }
        return LlamaForCausalLM(
            LlamaConfig(vocab_size=vocabulary, tie_word_embeddings=True, **settings, **config)
        )

    return make


@pytest.mark.slow
def test_skipped_layers_stay_bit_for_bit(squeeze, plain_model):
    run, ref = squeeze(RTN(skip=["mlp", r"layers\.1\."]))
    assert run.console.progressed[-1]["layers"] == 4
    before, after = targeted_layers(load_model(plain_model), []), targeted_layers(load_model(ref), [])
    assert after["model.layers.0.mlp.up_proj"].weight.equal(before["model.layers.0.mlp.up_proj"].weight)


@pytest.mark.slow
def test_learned_rounding_runs_on_a_16_bit_base(squeeze):
    pytest.importorskip("auto_round")
    run, ref = squeeze(AutoRound(iterations=2, dtype="bfloat16", **FAST))
    assert weights_of(ref)["num_bits"] == 4
    assert run.console.progressed[-1]["layers_changed"] == 14
