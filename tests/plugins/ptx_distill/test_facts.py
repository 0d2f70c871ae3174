"""Depth, width and vocabulary of a model, read from its files without its weights."""

import json

from ptx_distill.facts import Shape, last_attention, shape_of, vocabulary


def write_tokenizer(folder, vocab, added=()):
    folder.mkdir()
    tokens = [{"content": content, "id": number} for content, number in added]
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocab}, "added_tokens": tokens}))
    return folder


def test_the_shape_is_that_of_the_configuration_and_0_where_it_says_nothing(tmp_path):
    sizes = {"num_hidden_layers": 3, "hidden_size": 8, "vocab_size": 100}
    (tmp_path / "config.json").write_text(json.dumps(sizes))
    assert shape_of(tmp_path) == Shape(layers=3, width=8, words=100)
    (tmp_path / "config.json").write_text(json.dumps({"text_config": sizes, "hidden_size": 99}))
    assert shape_of(tmp_path) == Shape(layers=3, width=8, words=100)
    (tmp_path / "config.json").write_text(json.dumps({"hidden_size": 8}))
    assert shape_of(tmp_path) == Shape(layers=0, width=8, words=0)
    assert shape_of(tmp_path / "nowhere") == Shape(0, 0, 0)


def test_vocabularies_are_equal_where_the_same_tokens_have_the_same_ids(tmp_path):
    one = write_tokenizer(tmp_path / "one", {"a": 0, "b": 1}, [("<end>", 2)])
    pieces = write_tokenizer(tmp_path / "pieces", [["a", -0.5], ["b", -1.5]], [("<end>", 2)])
    swapped = write_tokenizer(tmp_path / "swapped", {"a": 1, "b": 0}, [("<end>", 2)])
    longer = write_tokenizer(tmp_path / "longer", {"a": 0, "b": 1}, [("<end>", 2), ("<pad>", 3)])
    assert vocabulary(one) == vocabulary(pieces)
    assert len({vocabulary(folder) for folder in (one, swapped, longer)}) == 3


def test_without_tokenizer_json_the_sentencepiece_file_decides(tmp_path):
    for name, content in {"one": b"x", "same": b"x", "other": b"y"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "spiece.model").write_bytes(content)
    assert vocabulary(tmp_path / "one") == vocabulary(tmp_path / "same") != vocabulary(tmp_path / "other")


def test_the_last_layer_is_that_with_the_highest_number_and_needs_all_three_projections():
    names = [f"model.layers.{n}.self_attn.{p}_proj" for n in (2, 10) for p in "qkv"]
    assert last_attention(names) == {f"{p}_proj": f"model.layers.10.self_attn.{p}_proj" for p in "qkv"}
    assert last_attention(names[:-1]) == {}
    assert last_attention(["lm_head", "model.layers.0.mlp.up_proj"]) == {}
