from collections import defaultdict

import pytest
import torch

import ptx_prune
import ptx_quant
from ptx import ModelRef, StepError
from ptx.data import open_data
from ptx.files import read_rows
from ptx.lm import causality
from ptx.lm.compression import oneshot, statistics
from ptx.lm.compression.network import targeted_layers
from ptx.lm.compression.statistics import Statistics, shared_statistics
from ptx.lm.load import load_model
from ptx.store.store import Store
from ptx_prune.compress import prune
from ptx_quant.compress import quantise

FAST = {"samples": 4, "max_length": 32, "statistics": "shared"}
Q = "model.layers.0.self_attn.q_proj"


@pytest.fixture
def data(tmp_path):
    (tmp_path / "rows.jsonl").write_text(
        "".join(f'{{"text": "Text number {number} of a few."}}\n' for number in range(8))
    )
    return open_data("rows", tmp_path / "rows.jsonl")


@pytest.fixture
def stored(run, tmp_path):
    """``stored(name)``: a step with a folder of its own; all steps share one store."""

    def make(name):
        folder, checkpoints = tmp_path / name, tmp_path / f"{name}-checkpoints"
        for part in (folder, checkpoints):
            part.mkdir()
        return run.at(
            folder=folder,
            events=folder / "events.jsonl",
            checkpoints=checkpoints,
            store=Store(tmp_path / "store"),
        )

    return make


@pytest.fixture
def measured(run, tiny, tokenizer, data):
    """``measured(hessians=...)``: the network, its calibration batches, and what was measured."""

    def make(hessians=True, run=run):
        network, ref = load_model(tiny), ModelRef.of(tiny)
        batches = oneshot.calibration_batches(data, tokenizer, ptx_quant.GPTQ(**FAST), 0)
        with oneshot.session(run):
            found = shared_statistics(run, ref, network, tokenizer, batches, hessians=hessians)
        return network, batches, found

    return make


def inputs_of(network, batches):
    """Each linear layer's inputs in a plain forward pass, (tokens, features), in float64."""
    seen = defaultdict(list)
    hooks = [
        layer.register_forward_pre_hook(
            lambda _module, inputs, name=name: seen[name].append(inputs[0].flatten(0, -2).double())
        )
        for name, layer in targeted_layers(network, []).items()
    ]
    with torch.no_grad():
        for batch in batches:
            network(**batch)
    for hook in hooks:
        hook.remove()
    return {name: torch.cat(parts) for name, parts in seen.items()}


def test_they_are_means_over_the_tokens_of_all_rows(measured):
    network, batches, found = measured()
    inputs = inputs_of(network, batches)
    assert set(found.entries) == set(inputs)
    for name, x in inputs.items():
        assert found.squares(name) == pytest.approx(x.square().mean(0).float(), rel=1e-4, abs=1e-7)
        assert found.magnitudes(name) == pytest.approx(x.abs().mean(0).float(), rel=1e-4, abs=1e-7)
        assert found.norms(name) == pytest.approx(x.norm(dim=0).float(), rel=1e-4, abs=1e-6)
        assert torch.allclose(found.hessian(name), (x.T @ x / len(x)).float(), rtol=1e-4, atol=1e-5)


def test_rows_go_through_each_layer_once_and_layers_with_one_input_share_it(measured, monkeypatch):
    calls, forward = [], torch.nn.Linear.forward

    def counted(self, x):
        calls.append(self)
        return forward(self, x)

    counted.plain = forward  # opening a model leaves it as it is
    monkeypatch.setattr(torch.nn.Linear, "forward", counted)
    monkeypatch.setattr(causality, "foresight", lambda model: None)  # opening a model tries it once
    network, batches, found = measured()
    layers = targeted_layers(network, [])
    assert len(batches) == 4
    assert all(calls.count(layer) == len(batches) for layer in layers.values())
    assert network.lm_head not in calls
    for sisters in (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj")):
        entries = {found.entries[name] for name in layers if "layers.1." in name and name.endswith(sisters)}
        assert len(entries) == 1


def test_a_sweep_of_bits_sparsities_and_methods_measures_once(stored, tiny, data):
    points = [
        (quantise, ptx_quant.GPTQ(bits=3, **FAST)),
        (quantise, ptx_quant.GPTQ(bits=8, skip=["mlp"], **FAST)),
        (prune, ptx_prune.SparseGPT(sparsity=0.5, **FAST)),
        (prune, ptx_prune.Wanda(sparsity=0.3, **FAST)),
    ]
    events = []
    for number, (step, config) in enumerate(points):
        run = stored(f"point-{number}")
        made = step(run, config, ModelRef.of(tiny), data)
        assert (made.path / "model.safetensors").is_file()
        events += [event for event in read_rows(run.events) if event["event"] == "product"]
    assert [event["shared"] for event in events] == [False, True, True, True]
    assert len({event["key"] for event in events}) == 1


def test_other_rows_and_another_model_have_statistics_of_their_own(stored, tiny, tokenizer, data):
    network, ref, run = load_model(tiny), ModelRef.of(tiny), stored("keys")
    keys = set()
    for seed, weights in ((0, ref.digest), (1, ref.digest), (0, "another")):
        batches = oneshot.calibration_batches(data, tokenizer, ptx_quant.GPTQ(**FAST), seed)
        model = ModelRef(ref.path, weights)
        keys.add(str(sorted(statistics._ingredients(run, model, network, batches, {}).items())))
    assert len(keys) == 3


def test_without_hessians_the_vectors_are_the_same_and_a_product_with_them_is_used(measured, stored):
    _, _, vectors = measured(hessians=False)
    assert sum(file.stat().st_size for file in vectors.folder.iterdir()) < 100_000
    run = stored("both")
    _, _, full = measured(run=run)
    _, _, again = measured(hessians=False, run=run)
    assert again.folder == full.folder
    assert all(torch.equal(vectors.squares(name), full.squares(name)) for name in full.entries)


@pytest.mark.parametrize(
    ("step", "kind"), [(prune, ptx_prune.SparseGPT), (prune, ptx_prune.Wanda), (quantise, ptx_quant.GPTQ)]
)
def test_layers_that_nothing_compressed_comes_before_are_solved_as_sequentially(
    stored, tiny, data, step, kind
):
    """The first layer's q, k and v read the same inputs in both ways, so they must come out the same."""
    made = {
        how: step(stored(how), kind(**FAST | {"statistics": how}), ModelRef.of(tiny), data)
        for how in ("sequential", "shared")
    }
    models = [load_model(ref.path) for ref in made.values()]
    for model in models:
        model(input_ids=torch.tensor([[1, 2, 3]]))  # packed weights are unpacked now

    def weights(name):
        layers = [model.get_submodule(name) for model in models]
        return [layer(torch.eye(layer.in_features)).detach() for layer in layers]

    for part in ("q_proj", "k_proj", "v_proj"):
        first, second = weights(f"model.layers.0.self_attn.{part}")
        assert float((first - second).abs().gt(1e-4).float().mean()) < 0.002  # a tie may fall otherwise
    assert not torch.equal(*weights("model.layers.2.mlp.down_proj"))


def test_a_layer_that_shares_its_input_now_and_then_is_refused(tmp_path):
    layers = {name: torch.nn.Linear(3, 2) for name in ("one", "two")}
    collector = statistics._Collector(tmp_path, layers, hessians=True)
    x = torch.ones(4, 3)
    with collector.watching():
        layers["one"](x)
        layers["two"](x)
        with pytest.raises(StepError, match="use statistics=sequential"):
            layers["two"](torch.ones(4, 3))


def test_a_layer_that_no_token_has_reached_has_no_statistics(tmp_path):
    layers = {name: torch.nn.Linear(3, 2) for name in ("one", "two")}
    collector = statistics._Collector(tmp_path, layers, hessians=True)
    with collector.watching():
        layers["one"](torch.ones(4, 3))
    collector.write()
    collector.finish()
    found = Statistics(tmp_path)
    assert "one" in found
    assert "two" not in found
