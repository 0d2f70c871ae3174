"""The sizes of models, from headers and config.json."""

import json
import math
import struct

import pytest

from ptx.models.shape import ModelShape


def write(folder, config, tensors, dtype="F32"):
    """A model folder whose weights are a header and a hole."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    entries, at = {}, 0
    for name, shape in tensors.items():
        size = math.prod(shape) * {"F32": 4, "BF16": 2}[dtype]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    header = json.dumps(entries).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + at)
    return folder


LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 1,
    "vocab_size": 500,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 160,
}
LAYER = {
    "model.layers.0.self_attn.q_proj.weight": [64, 64],
    "model.layers.0.self_attn.k_proj.weight": [32, 64],
    "model.layers.0.self_attn.v_proj.weight": [32, 64],
    "model.layers.0.self_attn.o_proj.weight": [64, 64],
    "model.layers.0.mlp.gate_proj.weight": [160, 64],
    "model.layers.0.mlp.up_proj.weight": [160, 64],
    "model.layers.0.mlp.down_proj.weight": [64, 160],
    "model.layers.0.input_layernorm.weight": [64],
    "model.layers.0.post_attention_layernorm.weight": [64],
    "model.norm.weight": [64],
}
EMBEDDING = {"model.embed_tokens.weight": [500, 64]}


def test_a_llama_has_the_sizes_of_its_config_and_counts_tables_apart(tmp_path):
    shape = ModelShape.of(write(tmp_path / "m", LLAMA, EMBEDDING | LAYER))
    assert (shape.hidden, shape.layers, shape.ffn, shape.heads, shape.pairs) == (64, 1, 160, 4, 2)
    assert (shape.words, shape.tables, shape.tied, shape.gated) == (500, 500 * 64, True, True)
    assert shape.ends == 2 * 128 + 2 * 96 + 3 * 224
    assert shape.stored >= 4 * shape.parameters == 4 * (32000 + 2 * 4096 + 2 * 2048 + 3 * 10240 + 3 * 64)
    assert (shape.norms, shape.head_norms) == (3, 0)


def test_an_output_layer_of_its_own_counts_as_a_second_table(tmp_path):
    shape = ModelShape.of(write(tmp_path / "m", LLAMA, EMBEDDING | LAYER | {"lm_head.weight": [500, 64]}))
    assert (shape.tables, shape.tied) == (2 * 500 * 64, False)


def test_what_the_config_does_not_say_is_read_from_the_tensors(tmp_path):
    config = {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 4, "vocab_size": 90}
    tensors = {"wte.weight": [90, 32], "h.0.mlp.c_fc.weight": [32, 128], "h.0.ln_1.weight": [32]}
    shape = ModelShape.of(write(tmp_path / "m", config, tensors))
    assert (shape.hidden, shape.ffn, shape.head_size, shape.gated, shape.pairs) == (32, 128, 8, False, 4)


def test_norms_over_the_heads_are_seen(tmp_path):
    more = {"model.layers.0.self_attn.q_norm.weight": [16], "model.layers.0.self_attn.k_norm.weight": [16]}
    assert ModelShape.of(write(tmp_path / "m", LLAMA, EMBEDDING | LAYER | more)).head_norms == 2


@pytest.mark.parametrize("missing", ["hidden_size", "num_hidden_layers", "vocab_size"])
def test_a_model_without_a_size_has_no_shape_and_no_forecast(tmp_path, missing):
    config = {name: value for name, value in LLAMA.items() if name != missing}
    assert ModelShape.of(write(tmp_path / "m", config, EMBEDDING | LAYER)) is None


def test_a_changed_folder_is_read_again(tmp_path):
    folder = write(tmp_path / "m", LLAMA, EMBEDDING | LAYER)
    assert ModelShape.of(folder).tied
    (folder / "model.safetensors").unlink()
    other = write(tmp_path / "n", LLAMA, EMBEDDING | LAYER | {"lm_head.weight": [500, 64]})
    (other / "model.safetensors").rename(folder / "model.safetensors")
    assert not ModelShape.of(folder).tied
