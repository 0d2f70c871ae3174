"""A folder whose weights are not those of its config.json is refused, whoever opens it."""

import json
import logging
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from ptx.errors import StepError
from ptx.lm import weights
from ptx.lm.load import load_model


@pytest.fixture
def changed(plain_model, tmp_path):
    """``changed(change, **config)``: a copy of the model with other tensors and another config."""

    def make(change=lambda _: None, **config):
        folder = tmp_path / "model"
        shutil.copytree(plain_model, folder)
        tensors = load_file(folder / "model.safetensors")
        tensors = change(tensors) or tensors  # changed in place, or a new set
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        described = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(described | config))
        return folder

    return make


UP = "model.layers.1.mlp.up_proj.weight"


def test_a_complete_model_opens(plain_model):
    assert load_model(plain_model).config.model_type == "llama"


@pytest.mark.parametrize(
    ("change", "config", "said"),
    [
        (lambda t: {name: t[name] for name in t if name != UP}, {}, rf"1 tensor is missing on disk: {UP}"),
        (
            lambda t: {"model.norm.weight": t["model.norm.weight"]},
            {},
            r"\d\d tensors are missing on disk: .*, and",
        ),
        (
            lambda t: t.update({UP: t[UP][:-2].clone()}),
            {},
            rf"{UP} is \d+ x \d+ in the files, by the config.json \d+ x \d+",
        ),
        (
            lambda t: t.update({UP: t[UP].to(torch.int64)}),
            {},
            rf"1 tensor is stored as integers: {UP}",
        ),
        (
            lambda t: t.update({UP.replace("weight", "bias"): torch.zeros(len(t[UP]))}),
            {},
            r"in the files, and the config.json has no place for them: model.layers.1.mlp.up_proj.bias",
        ),
        (None, {"num_hidden_layers": 1}, r"9 tensors are in the files, and the config.json has no place"),
        (None, {"num_hidden_layers": 3}, r"9 tensors are missing on disk: model.layers.2"),
        (None, {"vocab_size": 40}, r"model.embed_tokens.weight is \d+ x \d+ in the files"),
    ],
    ids=["missing", "most missing", "shape", "integers", "bias", "fewer layers", "more layers", "vocabulary"],
)
def test_weights_that_the_config_does_not_describe_are_refused_with_their_names(
    changed, change, config, said
):
    folder = changed(change or (lambda _: None), **config)
    with pytest.raises(
        StepError, match=f"model does not hold the model that its config.json describes: .*{said}"
    ):
        load_model(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused_and_named(changed, value):
    def spoil(tensors):
        tensors[UP][3, 3] = value

    with pytest.raises(StepError, match=rf"1 tensor is not finite \(nan or inf\): {UP}; nothing"):
        load_model(changed(spoil))


def test_finite_values_whose_sum_overflows_are_finite():
    weights.refuse_values("model", [("large", torch.full((4, 4), 3e38))])


def test_what_a_language_model_has_no_use_for_is_told_and_left_out(changed, caplog):
    beside = {
        "vision_tower.patch.weight": torch.zeros(2, 2),
        "v_head.summary.weight": torch.zeros(1, 2),
        "model.layers.0.self_attn.bias": torch.zeros(1, 1, 4, 4),
    }
    with caplog.at_level(logging.WARNING, "ptx"):
        load_model(changed(lambda tensors: tensors | beside))
    assert "not read: 3 tensors are left out: model.layers.0.self_attn.bias, v_head" in caplog.text


def test_layers_for_speculative_decoding_are_no_fault(changed):
    def further(tensors):
        return tensors | {"model.layers.2.mlp.up_proj.weight": tensors[UP].clone()}

    assert load_model(changed(further, num_nextn_predict_layers=1)).config.num_hidden_layers == 2


@pytest.mark.parametrize("kind", ["mixtral", "gpt2"])
def test_architectures_that_are_stored_under_other_names_open(tmp_path, kind):
    """Experts are fused when they are read; GPT-2's file has no prefix and holds masks."""
    import transformers as hf

    small = {"vocab_size": 32, "bos_token_id": 0, "eos_token_id": 1}
    if kind == "mixtral":
        config = hf.MixtralConfig(
            **small,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            num_local_experts=2,
            pad_token_id=None,
        )
        hf.MixtralForCausalLM(config).save_pretrained(tmp_path)
    else:
        config = hf.GPT2Config(**small, n_embd=16, n_layer=1, n_head=2, n_positions=16)
        hf.GPT2LMHeadModel(config).save_pretrained(tmp_path)
        stored = load_file(tmp_path / "model.safetensors")
        bare = {name.removeprefix("transformer."): tensor for name, tensor in stored.items()}
        bare["h.0.attn.bias"] = torch.ones(1, 1, 16, 16)
        save_file(bare, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert load_model(tmp_path).config.model_type == kind
