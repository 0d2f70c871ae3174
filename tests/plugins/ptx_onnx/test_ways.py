from types import SimpleNamespace

import pytest
import torch

from ptx.lm.load import load_model
from ptx_onnx import Onnx
from ptx_onnx.graph import Graph
from ptx_onnx.ways import (
    FORMATS,
    Format,
    Rounder,
    all_in,
    asked,
    is_sensitive,
    layer_of,
    layers_behind,
    menu_of,
    places_of,
    rounded,
)


def matrix(name, shape=(64, 64), lookup=None, product=True):
    return SimpleNamespace(name=name, shape=shape, lookup=lookup, product=product or None)


HEAD = matrix("/lm_head/MatMul", (256, 64), lookup=True)
LAYERS = [
    matrix(f"/model/layers.{layer}/{part}/MatMul")
    for layer in range(8)
    for part in ("attn/qkv_proj", "mlp/gate_proj", "mlp/down_proj")
]


def test_what_was_asked_for_is_the_first_plan():
    plan = asked(Onnx(precision="int4", block_size=32), [HEAD, *LAYERS])
    assert set(plan.values()) == {"4 bits in blocks of 32"}
    assert asked(Onnx(precision="fp32"), [HEAD, *LAYERS]) == {}
    assert HEAD.name not in asked(Onnx(head="fp32"), [HEAD, *LAYERS])
    plan = asked(Onnx(head="int8", symmetric=True), [HEAD, *LAYERS])
    assert plan[HEAD.name] == "8 bits in blocks of 32"
    assert FORMATS[plan[LAYERS[0].name]] == Format(4, 32, "middle")


def test_mixed_gives_llama_cpps_sensitive_products_eight_bits():
    plan = asked(Onnx(mixed=True), [HEAD, *LAYERS])
    eight = {name for name, form in plan.items() if form.startswith("8")}
    assert eight == {one.name for one in LAYERS if is_sensitive(one.name, 8)}
    assert "/model/layers.0/mlp/down_proj/MatMul" in eight
    assert "/model/layers.0/mlp/gate_proj/MatMul" not in eight


def test_the_bytes_of_a_format_are_those_of_the_file():
    assert Format(4, 32).bytes(64, 64) == 64 * (2 * (16 + 2) + 1)
    assert Format(4, 32, "middle").bytes(64, 64) == 64 * 2 * (16 + 2)
    assert Format(4, 32, "free").bytes(64, 64) == 64 * (2 * (16 + 2 + 2) + 1)
    assert Format(8, 64).bytes(64, 96) == 64 * (2 * (64 + 2) + 2)  # the last block is padded


def test_a_product_of_the_graph_finds_its_layers_in_the_model():
    names = [
        "model.embed_tokens",
        "lm_head",
        *(f"model.layers.{n}.self_attn.{part}_proj" for n in (1, 11) for part in "qkv"),
    ]
    assert layers_behind(LAYERS[3], names) == [f"model.layers.1.self_attn.{part}_proj" for part in "qkv"]
    assert layers_behind(HEAD, names) == ["model.embed_tokens", "lm_head"]
    assert layers_behind(matrix("/lm_head/MatMul"), names) == ["lm_head"]
    assert layers_behind(matrix("/model/layers.0/attn/dense/MatMul"), names) == []


@pytest.mark.parametrize(
    ("name", "layer"), [("/model/layers.12/mlp/up_proj/MatMul", 12), ("/lm_head/MatMul", -1)]
)
def test_the_layer_of_a_product_is_in_its_name(name, layer):
    assert layer_of(name) == layer


def test_an_embedding_has_no_offsets_and_every_format_on_a_menu_exists():
    assert not any(form.zero == "free" for form in menu_of(HEAD, Onnx()))
    assert Format(4, 32, "free") in menu_of(LAYERS[0], Onnx())
    assert Format(4, 32, "free") not in menu_of(matrix("/x/MatMul", (64, 70)), Onnx())
    assert all(str(form) in FORMATS for one in (HEAD, LAYERS[0]) for form in menu_of(one, Onnx()))
    assert set(all_in([HEAD, *LAYERS], 8, 16).values()) <= set(FORMATS)


def test_what_was_priced_is_not_rounded_again_and_a_layer_is_some_rows_of_its_product(
    fp32_package, chat_model, monkeypatch
):
    """Also of layers that the graph has fused into one product, and of a tied one."""
    network, config, calls = load_model(chat_model), Onnx(), []
    monkeypatch.setattr("ptx_onnx.ways.rounded", lambda *given: calls.append(1) or rounded(*given))
    rounder, form = Rounder(config), "4 bits in blocks of 32"
    names = [name for name, _ in network.named_modules()]
    found = {}
    for one in Graph(fp32_package).matrices():
        found |= places_of(one, layers_behind(one, names), network)
    linear = {name for name, module in network.named_modules() if hasattr(module, "in_features")}
    assert linear <= set(found)
    for layer, (one, start, stop) in found.items():
        weight = network.get_submodule(layer).weight.detach()
        expected = rounded(weight, FORMATS[form], config).values()
        assert torch.equal(rounder.rows(one, form, start, stop), expected)
    products = {one.name for one, _, _ in found.values()}
    assert len(calls) == len(products) < len(found)
    assert {name for name, _ in rounder.kept} == products


def test_integers_are_kept_only_while_there_is_room(fp32_package):
    one = Graph(fp32_package).matrices()[0]
    rounder = Rounder(Onnx())
    rounder.room = 10
    assert torch.equal(rounder(one, "4 bits in blocks of 32").q, rounder(one, "4 bits in blocks of 32").q)
    assert not rounder.kept
