from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ptx import ModelRef, StepError
from ptx.files import read_json
from ptx.lm.compression import network
from ptx.lm.load import load_model, save_adapter


def test_all_linear_layers_but_the_output_embedding_are_targeted(tiny):
    model = load_model(tiny)
    layers = network.targeted_layers(model, [])
    assert len(layers) == 7 * 3
    assert not any("lm_head" in name for name in layers)
    assert network.ignore_patterns(model, layers) == [r"re:lm_head\.?$"]
    assert len(network.targeted_layers(model, ["mlp", r"layers\.0\."])) == 4 * 2
    with pytest.raises(StepError, match="no linear layer is left to compress"):
        network.targeted_layers(model, ["mlp", "attn"])


def test_a_skip_pattern_that_matches_no_layer_is_refused_with_the_names_there_are(tiny):
    with pytest.raises(StepError, match=r"'down_prof' matches no linear layer; there are down_proj, gate_"):
        network.targeted_layers(load_model(tiny), ["down_prof"])


def test_the_weights_before_are_read_from_disk_one_by_one_and_an_adapters_are_copied(tiny, tmp_path):
    model = load_model(tiny)
    layers = network.targeted_matrices(model, [])
    before = network.weights_before(ModelRef.of(tiny), layers)
    assert isinstance(before, network.StoredWeights)
    assert list(before) == list(layers)
    assert all(torch.equal(before[name], layer.weight) for name, layer in layers.items())
    (tmp_path / "adapter_config.json").write_text("{}")
    copied = network.weights_before(ModelRef(tmp_path), layers)
    name, layer = next(iter(layers.items()))
    with torch.no_grad():
        layer.weight.zero_()
    assert torch.equal(copied[name], before[name])


@pytest.mark.slow
def test_an_adapter_is_merged_before_it_is_compressed(run, tokenizer, tiny, tmp_path):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    lora = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    adapted = get_peft_model(load_model(tiny), lora)
    save_adapter(adapted, tokenizer, tmp_path / "adapter", ModelRef.of(tiny))
    merged = network.load_merged(run, ModelRef.of(tmp_path / "adapter", "adapter"))
    ids = torch.tensor([tokenizer("What is 1 + 1?")["input_ids"]])
    found = network.logits(merged, ids)
    assert torch.allclose(found, network.logits(adapted.eval(), ids), atol=1e-3)
    assert not torch.allclose(found, network.logits(load_model(tiny), ids), atol=1e-1)
    assert "merging the adapter into its base" in run.console.lines[0]
    assert Path(merged.config.name_or_path) == tiny


def test_a_model_keeps_the_dtype_it_is_stored_in(tiny, tmp_path):
    assert network.stored_dtype(ModelRef(tiny)) == "float32"
    (tmp_path / "config.json").write_text('{"torch_dtype": "float32"}')
    save_file({"a": torch.zeros(2, dtype=torch.bfloat16)}, tmp_path / "model.safetensors")
    assert network.stored_dtype(ModelRef(tmp_path)) == "bfloat16", "the weights decide, not config.json"


def test_the_share_of_zeros_counts_all_weights_together():
    assert network.zero_share([torch.zeros(2, 2), torch.ones(3, 4)]) == 4 / 16


def test_the_context_length_is_what_the_config_states(tiny):
    assert network.context_of(load_model(tiny)) == read_json(tiny / "config.json")["max_position_embeddings"]
    stateless = SimpleNamespace(config=SimpleNamespace(get_text_config=SimpleNamespace))
    assert network.context_of(stateless) is None


def test_ignore_patterns_escape_the_names_of_layers():
    model = nn.ModuleDict({"a": nn.ModuleDict({"b": nn.Linear(2, 2)}), "c": nn.Linear(2, 2)})
    assert network.ignore_patterns(model, {"c": model["c"]}) == [r"re:a\.b\.?$"]
