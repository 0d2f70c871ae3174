from types import MethodType, SimpleNamespace

import torch
from torch import nn

from ptx.lm.load import load_model
from ptx_checks.memory import log_probabilities, probe, undisturbed, watched


def test_saving_works_as_before_when_the_step_is_over(ask, plain_model, tmp_path):
    from transformers import PreTrainedModel

    original = PreTrainedModel.__dict__["save_pretrained"]
    ask("prune")
    assert PreTrainedModel.__dict__["save_pretrained"] is original


def test_predictions_are_recorded_by_folder_but_not_for_checkpoints(plain_model, tmp_path):
    network = load_model(plain_model)
    with watched(ignoring=tmp_path / "checkpoints") as saved:
        network.save_pretrained(tmp_path / "model")
        network.save_pretrained(tmp_path / "checkpoints" / "one")
    assert list(saved) == [(tmp_path / "model").resolve()]
    assert torch.equal(saved[(tmp_path / "model").resolve()], log_probabilities(network))


def test_a_save_pretrained_of_the_instance_is_watched_too(plain_model, tmp_path):
    network, called = load_model(plain_model), []
    network.save_pretrained = MethodType(lambda self, folder, **_: called.append(folder), network)
    with watched(ignoring=tmp_path / "checkpoints") as saved:
        network.save_pretrained(tmp_path / "model")
    assert called == [tmp_path / "model"]
    assert list(saved) == [(tmp_path / "model").resolve()]


def test_the_probe_is_always_the_same_and_fits_into_the_context():
    assert probe(64).shape == (4, 48)
    assert probe(64, limit=16).shape == (4, 16)
    assert torch.equal(probe(64), probe(64))
    assert int(probe(64).max()) < 64


def test_dynamic_activations_are_exact_while_probing_and_stored_ranges_stay():
    dynamic, static = SimpleNamespace(dynamic=True), SimpleNamespace(dynamic=False)
    network = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    for layer, activations in zip(network, (dynamic, static), strict=True):
        layer.quantization_scheme = SimpleNamespace(input_activations=activations)
    with undisturbed(network):
        assert [layer.quantization_scheme.input_activations for layer in network] == [None, static]
    assert [layer.quantization_scheme.input_activations for layer in network] == [dynamic, static]
