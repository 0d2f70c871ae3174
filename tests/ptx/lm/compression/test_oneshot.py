from pathlib import Path

import pytest
import torch

import ptx_tiny
from ptx import ModelRef, RunConfig, StepError
from ptx.hooks.host import load_host
from ptx.hooks.run import Run
from ptx.lm.compression import oneshot as compression
from ptx.lm.load import load_model, load_tokenizer, save_adapter
from tests.plugins.conftest import Screen

TINY = Path(ptx_tiny.__file__).parent / "model"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "step"
    folder.mkdir()
    return Run(
        RunConfig(),
        load_host(tmp_path, {"PTX_DISABLE": ""}),
        Screen(),
        folder,
        folder / "events.jsonl",
        folder,
        0,
        "cpu",
    )


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(TINY)


def test_all_linear_layers_but_the_output_embedding_are_targeted(tokenizer):
    model = load_model(TINY)
    layers = compression.targeted_layers(model, [])
    assert len(layers) == 7 * 3
    assert not any("lm_head" in name for name in layers)
    assert compression.ignored(model, layers) == [r"re:lm_head\.?$"]
    assert len(compression.targeted_layers(model, ["mlp", r"layers\.0\."])) == 4 * 2
    with pytest.raises(StepError, match="no linear layer is left to compress"):
        compression.targeted_layers(model, ["mlp", "attn"])


def test_the_weights_before_are_read_from_disk_one_by_one_and_an_adapters_are_copied(tmp_path):
    model = load_model(TINY)
    layers = compression.targeted_layers(model, [])
    before = compression.weights_before(ModelRef.of(TINY), layers)
    assert isinstance(before, compression.StoredWeights)
    assert list(before) == list(layers)
    assert all(torch.equal(before[name], layer.weight) for name, layer in layers.items())
    (tmp_path / "adapter_config.json").write_text("{}")
    copied = compression.weights_before(ModelRef(tmp_path), layers)
    name, layer = next(iter(layers.items()))
    with torch.no_grad():
        layer.weight.zero_()
    assert torch.equal(copied[name], before[name])


@pytest.mark.slow
def test_an_adapter_is_merged_before_it_is_compressed(run, tokenizer, tmp_path):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    adapted = get_peft_model(
        load_model(TINY), LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    )
    save_adapter(adapted, tokenizer, tmp_path / "adapter", ModelRef.of(TINY))
    merged = compression.load_merged(run, ModelRef.of(tmp_path / "adapter", "adapter"))
    ids = torch.tensor([tokenizer("What is 1 + 1?")["input_ids"]])
    assert torch.allclose(compression.logits(merged, ids), compression.logits(adapted.eval(), ids), atol=1e-3)
    assert not torch.allclose(
        compression.logits(merged, ids), compression.logits(load_model(TINY), ids), atol=1e-1
    )
    assert "merging the adapter into its base" in run.console.lines[0]
    assert Path(merged.config.name_or_path) == TINY


def test_a_model_keeps_the_dtype_it_is_stored_in(tmp_path):
    assert compression.stored_dtype(ModelRef(TINY)) == "float32"
    (tmp_path / "config.json").write_text('{"torch_dtype": "bfloat16"}')
    assert compression.stored_dtype(ModelRef(tmp_path)) == "bfloat16"
    (tmp_path / "config.json").write_text("{}")
    assert compression.stored_dtype(ModelRef(tmp_path)) == "auto"


def test_progress_counts_the_two_passes_over_every_layer(run):
    report = compression.layer_progress(run)
    report("(1/2): Calibrating", 1, 4)
    report("Preparing cache", 4, 4)
    report("(2/2): Propagating", 4, 4)
    assert [(told["step"], told["total"], told["layers_done"]) for told in run.console.progressed] == [
        (16, 16, 1)
    ]
