import json
from functools import partial
from pathlib import Path

import pytest
import torch

import ptx_tiny
from ptx import StepError
from ptx.files import file_digest, read_rows
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.progress import Pace
from ptx_prune import Magnitude, SparseGPT, Wanda

TINY = Path(ptx_tiny.__file__).parent / "model"
FAST = {"samples": 24, "max_length": 128}


def loss(model, texts):
    tokenizer = load_tokenizer(TINY)
    total, count = 0.0, 0
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"][:256]])
            total += float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1)
            count += ids.shape[1] - 1
    return total / count


@pytest.mark.slow
def test_half_of_the_weights_are_zero_and_everything_else_is_untouched(prune, linear_weights, monkeypatch):
    monkeypatch.setattr("ptx.lm.compression.oneshot.Pace", partial(Pace, every=0.0))
    run, ref = prune(SparseGPT(**FAST))
    pruned, weights = linear_weights(ref.path)
    before, _ = linear_weights(TINY)
    zeros = sum(int((weight == 0).sum()) for weight in weights.values())
    assert zeros / sum(weight.numel() for weight in weights.values()) == pytest.approx(0.5, abs=0.01)
    for name, parameter in before.named_parameters():
        same = torch.equal(parameter, dict(pruned.named_parameters())[name])
        assert same is (name.removesuffix(".weight") not in weights)
    assert ref.path == run.folder / "model"
    assert load_tokenizer(ref.path).chat_template == load_tokenizer(TINY).chat_template
    logged = run.console.progressed[-1]
    assert logged["sparsity"] == pytest.approx(0.5, abs=0.01)
    assert any("layers_done" in entry for entry in run.console.progressed)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(prune):
    digests = [
        file_digest(prune(SparseGPT(**FAST), name=f"step{n}", seed=seed)[1].path / "model.safetensors")
        for n, seed in enumerate((0, 0, 1))
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.slow
def test_sparsegpt_loses_less_than_magnitude_pruning_at_the_same_sparsity(prune, texts):
    held_out = texts[80:]
    configs = [SparseGPT(sparsity=0.6, samples=48, max_length=128), Magnitude(sparsity=0.6)]
    losses = [
        loss(load_model(prune(config, name=f"step{n}")[1].path), held_out) for n, config in enumerate(configs)
    ]
    assert loss(load_model(TINY), held_out) < losses[0] < losses[1]


def test_magnitude_prunes_each_layer_or_all_weights_together(prune, linear_weights):
    dense = linear_weights(TINY)[1]
    run, ref = prune(Magnitude(sparsity=0.4, layers={"down_proj": 0.2}))
    for name, weight in linear_weights(ref.path)[1].items():
        gone = weight == 0
        assert float(gone.float().mean()) == pytest.approx(0.2 if "down_proj" in name else 0.4, abs=1e-3)
        assert float(dense[name][gone].abs().max()) <= float(dense[name][~gone].abs().min())
    assert run.console.progressed[-1]["sparsity_lowest"] == pytest.approx(0.2, abs=1e-3)
    together = linear_weights(prune(Magnitude(sparsity=0.4, scope="global"), name="global")[1].path)[1]
    gone = torch.cat([weight.flatten() == 0 for weight in together.values()])
    every = torch.cat([dense[name].abs().flatten() for name in together])
    assert float(gone.float().mean()) == pytest.approx(0.4, abs=1e-3)
    assert float(every[gone].max()) <= float(every[~gone].min())


def test_magnitude_prunes_n_of_every_m(prune, linear_weights):
    _, ref = prune(Magnitude(sparsity=0.75, pattern="3:4", skip=["q_proj"]))
    for name, weight in linear_weights(ref.path)[1].items():
        zeros = (weight.reshape(-1, 4) == 0).sum(dim=1)
        assert bool((zeros == 0).all() if "q_proj" in name else (zeros == 3).all())


@pytest.mark.slow
def test_a_2_4_pattern_holds_in_every_group_and_skipped_layers_stay(prune, linear_weights):
    _, ref = prune(SparseGPT(pattern="2:4", skip=["down_proj"], **FAST))
    before = linear_weights(TINY)[1]
    for name, weight in linear_weights(ref.path)[1].items():
        if "down_proj" in name:
            assert torch.equal(weight, before[name])
        else:
            assert int((weight.reshape(-1, 4) == 0).sum(dim=1).min()) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SparseGPT, Wanda])
def test_calibration_rows_come_by_weight_and_may_share_a_batch(prune, tmp_path, kind, linear_weights):
    (tmp_path / "more.jsonl").write_text(
        "".join(json.dumps({"text": f"the {n} small birds looked at the garden"}) + "\n" for n in range(9))
    )
    mix = {"calibration": 1, str(tmp_path / "more.jsonl"): 1}
    run, ref = prune(kind(mix=mix, batch_size=2, samples=8, max_length=24))
    (event,) = [event for event in read_rows(run.events) if event["event"] == "calibration"]
    assert set(event["parts"].values()) == {4}
    weights = linear_weights(ref.path)[1]
    assert sum(int((weight == 0).sum()) for weight in weights.values()) / sum(
        map(torch.numel, weights.values())
    ) == pytest.approx(0.5, abs=0.01)


def test_a_skip_pattern_that_matches_nothing_is_named(prune):
    with pytest.raises(
        StepError, match=r"'dwon_proj' matches no linear layer; there are down_proj, .*q_proj"
    ):
        prune(SparseGPT(skip=["dwon_proj"], **FAST))
