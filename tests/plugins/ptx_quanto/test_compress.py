import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import ptx_hf
from ptx import ModelRef, Promise, RunConfig, StepError
from ptx.lm.compression.network import targeted_layers
from ptx.lm.load import load_model, load_tokenizer, quiet
from ptx.lm.quanto import MAP, save_packed
from ptx.lm.serving.dense import open_original, write_plain
from ptx.models.inspection import inspect
from ptx_quanto import Quanto, ptx_validate
from ptx_quanto.compress import describe_groups

IDS = torch.tensor([[1, 2, 3, 4, 5, 6]])


def logits(network):
    with torch.no_grad():
        return network(input_ids=IDS).logits.float()


@pytest.mark.parametrize(
    ("config", "bits"),
    [
        (Quanto(), 8),
        (Quanto(weights="int4"), 4),
        (Quanto(weights="int4", optimizer="hqq", skip=["down_proj"]), 4),
        (Quanto(weights="int2"), 2),
        (Quanto(weights="float8"), 8),
        (Quanto(activations="int8", samples=4, max_length=32), 8),
    ],
    ids=lambda value: (
        str(value) if isinstance(value, int) else f"{value.weights}-{value.optimizer}-{value.activations}"
    ),
)
def test_every_kind_of_weight_reads_back_as_it_was_in_memory_in_the_bits_asked_for(
    squeeze, plain_model, config, bits
):
    run, ref = squeeze(config)
    figures = run.console.progressed[-1]
    assert figures["reload_kl"] < 1e-6
    assert figures["layers_changed"] == figures["layers"] == (12 if config.skip else 14)
    assert bits < figures["bits_per_weight"] < bits + 4  # layers of 32 inputs: scales weigh a lot
    assert ref.bytes < ModelRef.of(plain_model).bytes
    assert inspect(ref.path).parameters == pytest.approx(inspect(plain_model).parameters, rel=0.01)
    assert inspect(ref.path).quantized == "quanto"


def test_transformers_alone_refuses_the_folder_instead_of_drawing_weights_at_random(squeeze, tmp_path):
    from transformers import AutoModelForCausalLM

    quiet()
    _, ref = squeeze(Quanto())
    with pytest.raises(ValueError, match=MAP):
        AutoModelForCausalLM.from_pretrained(ref.path)
    naive = tmp_path / "naive"  # what optimum-quanto writes by itself
    naive.mkdir()
    for file in ref.path.iterdir():
        (naive / file.name).write_bytes(file.read_bytes())
    config = json.loads((naive / "config.json").read_text())
    del config["quantization_config"]
    (naive / "config.json").write_text(json.dumps(config))
    _, told = AutoModelForCausalLM.from_pretrained(naive, output_loading_info=True)
    assert len(told["missing_keys"]) == 14, "the plain call draws every linear layer at random"


def test_optimum_quanto_reads_the_folder_too(squeeze):
    from optimum.quanto import QuantizedModelForCausalLM

    _, ref = squeeze(Quanto(weights="int4"))
    assert torch.equal(logits(QuantizedModelForCausalLM.from_pretrained(ref.path)), logits(load_model(ref)))


def test_a_tensor_that_is_missing_is_named(squeeze, tmp_path):
    _, ref = squeeze(Quanto())
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in ref.path.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    tensors = load_file(broken / "model.safetensors")
    tensors.pop("model.layers.0.mlp.up_proj.weight._scale")
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises((StepError, KeyError), match=r"up_proj|_scale"):
        load_model(broken)


def test_activations_calibrated_the_plain_way_read_back_as_another_model(plain_model, tmp_path, make_run):
    from optimum.quanto import Calibration, freeze, quantize

    quiet()
    network = load_model(plain_model).eval()
    quantize(network, weights="qint8", activations="qint8", exclude="lm_head")
    with torch.no_grad(), Calibration():
        network(input_ids=IDS)
    freeze(network)
    save_packed(network, load_tokenizer(plain_model), tmp_path / "naive", "int8")
    assert not torch.equal(logits(load_model(tmp_path / "naive")), logits(network))


@pytest.mark.parametrize(
    "config",
    [Quanto(), Quanto(weights="int4"), Quanto(activations="int8", samples=4, max_length=32)],
    ids=repr,
)
def test_the_runtime_says_that_it_only_emulates_and_generates_until_the_end_token(
    squeeze, make_run, plain_model, config
):
    _, ref = squeeze(config)
    run = make_run(RunConfig(), (ptx_hf,), "evaluation")
    lm = run.host.first("ptx_load", runtime=ptx_hf.HF(), model=ref, device="cpu")
    assert "optimum-quanto unpacks" in lm.emulated
    assert lm.model.generation_config.eos_token_id == load_model(plain_model).generation_config.eos_token_id
    assert len(lm.generate(["the cat"], 4)) == 1
    rows = [IDS[0].tolist()]
    assert torch.equal(torch.as_tensor(next(iter(lm.logits(rows)))), logits(load_model(ref))[0])


def test_weights_below_8_bits_cannot_be_used_in_inference_mode_by_the_plain_call(squeeze):
    from optimum.quanto import QuantizedModelForCausalLM

    _, ref = squeeze(Quanto(weights="int4"))
    ours, plain = load_model(ref), QuantizedModelForCausalLM.from_pretrained(ref.path)
    with torch.inference_mode():
        ours(input_ids=IDS)
        with pytest.raises(RuntimeError, match="version_counter"):
            plain(input_ids=IDS)


def test_other_runtimes_get_the_numbers_that_quanto_chose(squeeze, tmp_path):
    _, ref = squeeze(Quanto(weights="int4"))
    plain = load_model(write_plain(ref, tmp_path / "plain"))
    packed = load_model(ref)
    assert torch.allclose(logits(plain), logits(packed), atol=1e-5)
    assert all(type(layer.weight) is torch.nn.Parameter for layer in targeted_layers(plain, []).values())


def test_that_other_runtimes_do_not_round_activations_is_told(squeeze):
    run, ref = squeeze(Quanto(activations="int8", samples=4, max_length=32))
    open_original(run, ref)
    assert "rounds activations to int8 while it computes, the package does not" in run.console.lines[-1]
    run, ref = squeeze(Quanto(), name="weights")
    said = len(run.console.lines)
    open_original(run, ref)
    assert len(run.console.lines) == said


def test_zeros_of_a_pruned_model_stay_in_8_bits_and_are_refused_below(squeeze, plain_model, tmp_path):
    from ptx import Compressor

    class Pruner(Compressor):
        needs = ()

        def promise(self):
            return Promise(sparsity=0.5)

    network, folder = load_model(plain_model), tmp_path / "pruned"
    for layer in targeted_layers(network, []).values():
        layer.weight.data[layer.weight.abs() < layer.weight.abs().median()] = 0
    network.save_pretrained(folder)
    load_tokenizer(plain_model).save_pretrained(folder)
    run, _ = squeeze(Quanto(), folder)
    assert run.console.progressed[-1]["mask_kept"] == 1
    problems = lambda config: ptx_validate(
        RunConfig(compress={"pruner": Pruner(), "quanto": config}), plain_model, None
    )
    assert problems(Quanto()) == []
    assert "int4 of quanto has no exact zero" in str(problems(Quanto(weights="int4"))[0])


def test_layers_are_listed_by_their_group_size():
    groups = {"model.layers.0.up_proj": 128, "model.layers.1.up_proj": 128, "model.layers.0.down_proj": None}
    assert describe_groups(groups) == "up_proj: groups of 128; down_proj: one scale per output channel"
