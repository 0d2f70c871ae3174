"""The package of the builder with the windows and rotary tables of the model, compared on long texts."""

import json

import pytest
import torch

from ptx import RunConfig, StepError
from ptx.files import read_json
from ptx.models.package import read_package
from ptx_onnx import Onnx, ptx_validate
from ptx_onnx.mend import convertible, is_scaled, rotary_tables
from tests.plugins.conftest import TEMPLATE, save_tiny_llama

pytestmark = pytest.mark.usefixtures("warm")

SIZES = {"hidden_size": 64, "num_attention_heads": 4, "max_position_embeddings": 512}
YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 128,
    "rope_theta": 10000.0,
}


def save_windowed(folder, window):
    """The tiny Llama's files around a Mistral with a window."""
    from transformers import MistralConfig, MistralForCausalLM

    save_tiny_llama(folder, TEMPLATE, **SIZES)
    described = read_json(folder / "config.json")
    torch.manual_seed(0)
    config = MistralConfig(
        **{
            name: described[name] for name in (*SIZES, "vocab_size", "intermediate_size", "num_hidden_layers")
        },
        num_key_value_heads=2,
        sliding_window=window,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )
    MistralForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_graph_without_the_models_window_is_refused_although_short_texts_agree(
    export, tmp_path, monkeypatch
):
    """The plan refuses windows; here is what the export itself would say. Short texts have 50."""
    monkeypatch.setattr("ptx_onnx.mend.window_of", lambda config, layer: None)
    with pytest.raises(StepError, match=r"the fp32 package is not the model on long texts: at 320 tokens"):
        export(Onnx(precision="fp32"), save_windowed(tmp_path / "model", window=64))


@pytest.mark.slow
def test_a_model_that_serves_texts_within_its_window_is_exported_exactly(export, tmp_path):
    """What the refusal of a window advises."""
    folder = save_windowed(tmp_path / "model", window=64)
    config = read_json(folder / "config.json")
    assert 'max_position_embeddings": 64' in refusal_of(folder)
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 64}))
    assert refusal_of(folder) == ""
    run, _ = export(Onnx(precision="fp32"), folder)
    assert run.console.progressed[-1]["kl"] < 1e-9


def refusal_of(folder):
    return " ".join(map(str, ptx_validate(RunConfig(runtime=Onnx()), folder)))


@pytest.mark.slow
def test_a_scaled_rotary_embedding_has_the_models_own_tables(export, tmp_path):
    """The builder's own yarn is off by 0.005 to 0.02 nats per token."""
    folder = save_tiny_llama(tmp_path / "model", TEMPLATE, **SIZES, rope_parameters=YARN)
    _, package = export(Onnx(precision="fp32"), folder)
    assert read_package(package.path)["long_text"]["kl"] < 1e-9


def test_the_builder_gets_a_configuration_without_scaling_beside_the_models_files(tmp_path):
    folder = save_tiny_llama(tmp_path / "model", None, **SIZES, rope_parameters=YARN)
    simpler = convertible(folder, tmp_path / "simpler")
    assert simpler != folder
    assert read_json(simpler / "config.json")["rope_parameters"] == {
        "rope_type": "default",
        "rope_theta": 10000.0,
    }
    assert (simpler / "model.safetensors").samefile(folder / "model.safetensors")
    assert not is_scaled(read_json(simpler / "config.json"))


def test_a_configuration_that_the_builder_understands_is_left_alone(tmp_path):
    folder = save_tiny_llama(tmp_path / "model", None, **SIZES)
    assert convertible(folder, tmp_path / "simpler") == folder


def test_the_tables_are_cosines_and_sines_of_the_models_frequencies(tmp_path):
    from ptx.lm.load import load_model

    network = load_model(save_tiny_llama(tmp_path / "model", None, **SIZES))
    cos, sin = rotary_tables(network, 8)
    assert cos.shape == sin.shape == (8, 8)
    assert cos[0].tolist() == [1.0] * 8
    assert sin[3, 0] == pytest.approx(float(torch.sin(torch.tensor(3.0))))
