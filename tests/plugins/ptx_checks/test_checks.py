"""A compressor of another plugin is checked, and its figures are in the record."""

import pytest

from ptx import ModelRef, Promise, RunConfig
from ptx.files import read_rows
from ptx.lm.load import load_model
from ptx.testing import check_plugin


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_checks")


def test_what_is_as_promised_passes_and_its_figures_are_in_the_record(ask, linear_layers):
    run, made = ask("prune", Promise(sparsity=0.5, every_layer=True, nothing_else=True))
    logged = run.console.progressed[-1]
    assert logged["zeros"] == pytest.approx(0.5, abs=0.01)
    assert logged["zeros_before"] == 0
    assert logged["layers"] == logged["layers_changed"] == 14
    assert logged["reload_kl"] <= 1e-6
    assert logged["bits_per_weight"] == 32
    assert logged["bytes"] == made.bytes
    assert 0 < logged["relative_weight_error"] < 1
    assert "14 of 14 linear layers changed, 50.0% zeros" in run.console.lines[-1]
    (event,) = [event for event in read_rows(run.events) if event["event"] == "checked"]
    assert {layer["name"] for layer in event["per_layer"]} == set(linear_layers(load_model(made)))


def test_what_was_saved_by_other_means_is_compared_with_nothing_and_that_is_said(ask):
    run, _ = ask("by_hand")
    assert "saved by other means than save_pretrained: compared with nothing" in run.console.lines[-1]
    assert "reload_kl" not in run.console.progressed[-1]


def test_without_the_plugin_nothing_is_checked(make_run, plain_model, stranger):
    plugin, config = stranger
    run = make_run(RunConfig(), (plugin,))
    assert run.host.first(
        "ptx_compress", run=run, compressor=config, model=ModelRef.of(plain_model), data=None
    )
