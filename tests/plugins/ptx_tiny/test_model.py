"""The packaged model folder: small, safe to load, fit for every compressor and runtime."""

import json

from ptx_tiny import MODEL_FOLDER

FIGURES = json.loads((MODEL_FOLDER / "build.json").read_text(encoding="utf-8"))
CONFIG = json.loads((MODEL_FOLDER / "config.json").read_text(encoding="utf-8"))


def test_the_weights_are_safetensors_of_at_most_eight_megabytes():
    names = {path.name for path in MODEL_FOLDER.iterdir()}
    assert {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "README.md",
        "build.json",
    } <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl", ".py"))]
    assert (MODEL_FOLDER / "model.safetensors").stat().st_size <= 8_000_000


def test_the_head_size_is_a_multiple_of_16_and_the_embeddings_are_tied():
    assert CONFIG["head_dim"] % 16 == 0
    assert CONFIG["tie_word_embeddings"] is True
    assert CONFIG["architectures"] == ["LlamaForCausalLM"]


def test_every_linear_layer_takes_groups_of_128(loaded):
    import torch

    model, _ = loaded
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    assert len(linear) == 3 * 7 + 1
    assert all(module.in_features % 128 == 0 for module in linear)


def test_generation_stops_at_the_end_token_and_pads_with_another(loaded):
    model, tokenizer = loaded
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id != tokenizer.eos_token_id


def test_every_weight_is_a_finite_float32(loaded):
    import torch

    model, _ = loaded
    assert all(p.dtype == torch.float32 and torch.isfinite(p).all() for p in model.parameters())


def test_the_base_leaves_room_to_move():
    flexible = sorted(score["flexible"] for skill, score in FIGURES["scores"].items() if skill != "refuse")
    strict = [score["strict"] for skill, score in FIGURES["scores"].items() if skill != "refuse"]
    assert flexible[0] < 0.2
    assert flexible[-1] > 0.7
    assert any(0.2 <= score <= 0.7 for score in flexible)
    assert sum(strict) / len(strict) < 0.5


def test_the_build_record_names_seed_steps_seconds_and_versions():
    assert {"seed", "steps", "seconds", "threads", "corpus_tokens", "loss", "versions", "scores"} <= set(
        FIGURES
    )
    assert FIGURES["purpose"] == "demonstration and test model"
