import json

import pytest

import ptx_quant
from ptx import RunConfig
from ptx.files import file_digest, read_rows
from ptx.lm.compression.network import targeted_layers
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.testing import check_plugin
from ptx_quant import AWQ, GPTQ, RTN, AutoRound, Mixed, SmoothQuant, SpinQuant, ptx_validate

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
def test_mixed_precision_keeps_its_budget_and_says_what_got_what(squeeze):
    run, ref = squeeze(Mixed(average_bits=4.5, probes=2, then="rtn", **FAST))
    used = (
        run.console.progressed[-2]["bits"]
        if "bits" in run.console.progressed[-2]
        else run.console.progressed[-1]["bits"]
    )
    assert 4 <= used <= 4.5
    groups = json.loads((ref.path / "config.json").read_text())["quantization_config"]["config_groups"]
    assert {group["weights"]["num_bits"] for group in groups.values()} <= {3, 4, 8}
    assert len(groups) >= 2
    (event,) = [event for event in read_rows(run.events) if event["event"] == "sensitivity"]
    assert len(event["losses"]) == 14
    for losses in event["losses"].values():
        assert losses["8"] < losses["3"]


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


def said(config, model, **chain):
    return [
        str(problem) for problem in ptx_validate(RunConfig(compress={"it": config, **chain}), model, None)
    ]


def test_what_cannot_work_is_said_before_a_weight_is_loaded(plain_model):
    assert (
        "compress.gptq.skip: 'dwon_proj' matches no linear layer"
        in said(GPTQ(skip=["dwon_proj"], **FAST), plain_model)[0]
    )
    assert "did you mean 'down_proj'?" in said(GPTQ(skip=["dwon_proj"], **FAST), plain_model)[0]
    assert said(GPTQ(), plain_model) == []
    assert "add compress.rtn.dtype=bfloat16" in said(RTN(scheme="nvfp4a16"), plain_model)[0]
    assert "compress=[autoround] needs a 16-bit base" in said(AutoRound(**FAST), plain_model)[0]
    assert said(RTN(scheme="nvfp4a16", dtype="bfloat16"), plain_model) == []


@pytest.mark.slow
def test_arguments_for_the_library_are_checked_by_name_and_type(plain_model):
    assert (
        "no argument 'n_gird' of llm-compressor's AWQModifier; did you mean 'n_grid'?"
        in said(AWQ(args={"n_gird": 3}, **FAST), plain_model)[0]
    )
    assert (
        "compress.awq.args.n_grid must be int, got 'many'"
        in said(AWQ(args={"n_grid": "many"}, **FAST), plain_model)[0]
    )
    found = said(GPTQ(args={"dampening_frac": 0.1}, **FAST), plain_model)[0]
    assert "compress.gptq.args.dampening_frac is for ptx to set; use compress.gptq.dampening" in found
    assert said(GPTQ(args={"block_size": 64}, **FAST), plain_model) == []


def test_quantisation_stands_last_and_once_and_a_mask_is_not_refilled(plain_model, tmp_path):
    from ptx import Compressor, Promise

    class Other(Compressor):
        needs = ()

        def promise(self):
            return Promise(sparsity=0.5)

    order = lambda **steps: [
        problem.fix for problem in ptx_validate(RunConfig(compress=steps), plain_model, None)
    ]
    assert order(gptq=GPTQ(**FAST), prune=Other()) == ["try compress=[prune,gptq]"]
    assert order(prune=Other(), gptq=GPTQ(**FAST)) == []
    assert order(smoothquant=SmoothQuant(then="none", **FAST), gptq=GPTQ(**FAST)) == []
    assert order(prune=Other(), spinquant=SpinQuant()) == [
        "quantise a pruned model with rtn, gptq, awq or smoothquant, which keep them"
    ]
    heal = RunConfig(recipe={"steps": {"int4": RTN(), "heal": object()}}, compress={"int4": RTN()})
    assert [str(problem) for problem in ptx_validate(heal, plain_model, None)] == [
        "recipe: step heal cannot follow int4, whose weights are packed; make int4 the last step"
    ]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: GPTQ(bits=9), "compress.gptq.bits must be 2 to 8, got 9"),
        (lambda: GPTQ(group_size=0), "compress.gptq.group_size must be -1 or at least 8, got 0"),
        (lambda: GPTQ(max_length=0), "compress.gptq.max_length must be at least 1"),
        (lambda: GPTQ(dampening=-1.0), "compress.gptq.dampening must be positive"),
        (lambda: GPTQ(skip=["["]), "'[' is no regular expression"),
        (lambda: RTN(scheme="w4a61"), "no scheme 'w4a61' for compress.rtn.scheme; did you mean 'w4a16'?"),
        (lambda: RTN(scheme="w8a8", bits=8), "compress.rtn.scheme=w8a8 decides bits and symmetric"),
        (
            lambda: RTN(observer="max"),
            "compress.rtn.observer must be one of minmax, mse, imatrix_mse, got 'max'",
        ),
        (lambda: AWQ(then="none"), "compress.awq.then=none is of no use"),
        (lambda: SmoothQuant(strength=1.0), "strength must lie between 0 and 1"),
        (lambda: SpinQuant(rotations=["R3"]), "rotations must be R1 or R2, got 'R3'"),
        (
            lambda: Mixed(average_bits=2.0),
            "average_bits=2.0 is below the least candidate; try compress.mixed.average_bits=3.5",
        ),
        (lambda: Mixed(candidates=[4]), "candidates must be two or more of 2 to 8"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_fix(make, told):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        make()
    assert told in str(refused.value)


def test_only_what_looks_at_data_asks_for_some():
    assert RTN().needs == SpinQuant().needs == ()
    assert (
        RTN(scheme="w8a8_static").needs
        == RTN(kv_cache="fp8").needs
        == SpinQuant(then="gptq").needs
        == GPTQ().needs
        == ("calibration",)
    )


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_quant")
    check_plugin("ptx_checks")
    assert set(ptx_quant.CHOICES) == {"rtn", "gptq", "awq", "smoothquant", "spinquant", "autoround", "mixed"}


@pytest.mark.slow
def test_learned_rounding_runs_on_a_16_bit_base(squeeze):
    pytest.importorskip("auto_round")
    run, ref = squeeze(AutoRound(iterations=2, dtype="bfloat16", **FAST))
    assert weights_of(ref)["num_bits"] == 4
    assert run.console.progressed[-1]["layers_changed"] == 14
