import json
import math

import pytest
import torch

from ptx import ModelRef, StepError
from ptx.files import read_rows
from ptx.lm.load import load_model
from ptx.store.store import Store
from ptx_quant import Mixed
from ptx_quant.sensitivity import divergence, sensitivities, stored_sensitivities

FAST = {"samples": 6, "max_length": 64}


def test_divergence_is_the_mean_over_tokens_in_nats():
    before = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log()
    after = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log()
    second = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    assert divergence(before, after) == pytest.approx(second / 2)
    assert divergence(before, before) == 0


def test_every_layer_is_measured_alone_and_has_its_weights_again(make_run, plain_model):
    network = load_model(plain_model).eval()
    layers = {"model.layers.0.mlp.up_proj": network.model.layers[0].mlp.up_proj}
    kept = layers["model.layers.0.mlp.up_proj"].weight.detach().clone()
    batches = [{"input_ids": torch.tensor([[1, 5, 9, 13, 2, 7]])}]
    config = Mixed(candidates=[2, 8], probes=1)
    losses = sensitivities(make_run(), network, layers, dict.fromkeys(layers, 32), config, batches)
    assert set(losses) == {(name, bits) for name in layers for bits in (2, 8)}
    assert 0 <= losses["model.layers.0.mlp.up_proj", 8] < losses["model.layers.0.mlp.up_proj", 2]
    assert torch.equal(layers["model.layers.0.mlp.up_proj"].weight, kept)


def test_a_sweep_of_budgets_measures_once(make_run, plain_model, tmp_path):
    network = load_model(plain_model).eval()
    layers = {"model.layers.0.mlp.up_proj": network.model.layers[0].mlp.up_proj}
    batches = [{"input_ids": torch.tensor([[1, 5, 9, 13, 2, 7]])}]
    run, found = make_run().at(store=Store(tmp_path / "store")), []
    for config in (
        Mixed(candidates=[2, 8], probes=1, average_bits=3),
        Mixed(candidates=[8, 2], probes=1, average_bits=4),
        Mixed(candidates=[2, 8], probes=1, symmetric=False),
    ):
        arguments = (network, layers, dict.fromkeys(layers, 32), config, batches)
        found.append(stored_sensitivities(run, ModelRef.of(plain_model), *arguments))
        assert found[-1] == sensitivities(make_run(), *arguments)
    products = [event for event in read_rows(run.events) if event["event"] == "product"]
    assert [event["shared"] for event in products] == [False, True, False]
    assert found[0] == found[1]


def test_measuring_without_a_row_is_an_error(make_run, plain_model):
    network = load_model(plain_model)
    with pytest.raises(StepError, match="no calibration row"):
        sensitivities(make_run(), network, {}, {}, Mixed(), [])


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
