import json
from pathlib import Path

import pytest
import torch

import ptx_tiny
from ptx import ModelRef, RunConfig, StepError
from ptx.files import file_digest, read_rows
from ptx.lm.load import load_model, load_tokenizer
from ptx_prune import Magnitude, SparseGPT, Wanda, ptx_compress, ptx_validate
from ptx_tiny.data import calibration

TINY = Path(ptx_tiny.__file__).parent / "model"
FAST = {"samples": 24, "max_length": 128}


@pytest.fixture(scope="module")
def texts():
    return [row["text"] for _, row in zip(range(120), calibration(), strict=False)]


@pytest.fixture
def prune(make_run, make_data, texts):
    def go(config, model=TINY, name="step", seed=0):
        data = make_data("calibration", [{"text": text} for text in texts[:80]])
        run = make_run(RunConfig(compress={"sparsegpt": config}), (), name, seed)
        return run, ptx_compress(run, config, ModelRef.of(model), data)

    return go


def linear_weights(path):
    model = load_model(path)
    head = model.get_output_embeddings()
    return model, {
        name: module.weight.detach()
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }


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
def test_half_of_the_weights_are_zero_and_everything_else_is_untouched(prune):
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


def test_magnitude_prunes_each_layer_or_all_weights_together(prune):
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


def test_magnitude_prunes_n_of_every_m(prune):
    _, ref = prune(Magnitude(sparsity=0.75, pattern="3:4", skip=["q_proj"]))
    for name, weight in linear_weights(ref.path)[1].items():
        zeros = (weight.reshape(-1, 4) == 0).sum(dim=1)
        assert bool((zeros == 0).all() if "q_proj" in name else (zeros == 3).all())


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SparseGPT, Wanda])
def test_layers_are_as_sparse_as_they_were_asked_to_be(prune, kind):
    _, ref = prune(kind(sparsity=0.6, layers={r"layers\.0\.": 0.3, "v_proj": 0.4}, **FAST))
    for name, weight in linear_weights(ref.path)[1].items():
        asked = 0.4 if "v_proj" in name else 0.3 if "layers.0." in name else 0.6
        assert float((weight == 0).float().mean()) == pytest.approx(asked, abs=0.011)


@pytest.mark.slow
def test_owl_spreads_sparsity_over_the_decoder_layers_and_keeps_the_mean(prune):
    run, ref = prune(Wanda(sparsity=0.5, allocation="owl", spread=0.1, outlier=3.0, **FAST))
    weights = linear_weights(ref.path)[1]
    shares = [
        sum(int((w == 0).sum()) for n, w in weights.items() if f"layers.{layer}." in n)
        / sum(w.numel() for n, w in weights.items() if f"layers.{layer}." in n)
        for layer in range(3)
    ]
    assert max(shares) - min(shares) == pytest.approx(0.2, abs=0.02)
    assert sum(shares) / 3 == pytest.approx(0.5, abs=0.01)
    assert any("owl: sparsity per decoder layer" in line for line in run.console.lines)


@pytest.mark.slow
def test_a_2_4_pattern_holds_in_every_group_and_skipped_layers_stay(prune):
    _, ref = prune(SparseGPT(pattern="2:4", skip=["down_proj"], **FAST))
    before = linear_weights(TINY)[1]
    for name, weight in linear_weights(ref.path)[1].items():
        if "down_proj" in name:
            assert torch.equal(weight, before[name])
        else:
            assert int((weight.reshape(-1, 4) == 0).sum(dim=1).min()) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SparseGPT, Wanda])
def test_calibration_rows_come_by_weight_and_may_share_a_batch(prune, tmp_path, kind):
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


def test_a_calibration_that_cannot_be_is_refused_before_anything_is_loaded():
    (problem,) = ptx_validate(RunConfig(compress={"wanda": Wanda(mix={"mesages": 1})}), TINY, None)
    assert "compress.wanda.mix: no shape 'mesages'" in str(problem)


def test_a_skip_pattern_that_matches_nothing_is_named(prune):
    with pytest.raises(
        StepError, match=r"'dwon_proj' matches no linear layer; there are down_proj, .*q_proj"
    ):
        prune(SparseGPT(skip=["dwon_proj"], **FAST))


def test_an_expression_that_no_layer_has_is_named(prune):
    with pytest.raises(
        StepError, match=r"layers: 'dwon_proj' matches no linear layer; there are down_proj, .*q_proj"
    ):
        prune(Magnitude(layers={"dwon_proj": 0.3}))


def test_pruning_a_quantised_model_is_a_problem(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {}}))
    config = RunConfig(compress={"sparsegpt": SparseGPT()})
    assert "quantised already" in str(ptx_validate(config, tmp_path, None)[0])
    assert ptx_validate(config, TINY, None) == []
    assert ptx_validate(RunConfig(), tmp_path, None) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sparsity": 1.5}, "compress.sparsegpt.sparsity must lie between 0 and 1, got 1.5"),
        ({"pattern": "4:2"}, "must be unstructured or n:m, got '4:2'"),
        ({"pattern": "1:4"}, "add compress.sparsegpt.sparsity=0.25"),
        ({"pattern": "2:4", "block_size": 30}, "must be a multiple of 4"),
        ({"samples": 0}, "compress.sparsegpt.samples must be at least 1"),
        ({"dampening": 0.0}, "dampening must be positive"),
        ({"skip": ["("]}, "compress.sparsegpt.skip: '(' is no regular expression"),
        ({"layers": {"(": 0.5}}, "compress.sparsegpt.layers: '(' is no regular expression"),
        ({"layers": {"down": 0.0}}, "leave a layer alone with compress.sparsegpt.skip=[down]"),
        ({"pattern": "2:4", "layers": {"down": 0.3}}, "fixes the sparsity of every layer"),
        ({"allocation": "oil"}, "must be uniform or owl"),
        ({"allocation": "owl", "spread": 0.4}, "spread must lie between 0 and 0.25 at sparsity 0.5"),
        ({"allocation": "owl", "pattern": "2:4"}, "try compress.sparsegpt.allocation=uniform"),
        ({"outlier": 0.0}, "compress.sparsegpt.outlier must be positive"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_the_fix(settings, said):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        SparseGPT(**settings)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scope": "row"}, "compress.magnitude.scope must be layer or global"),
        ({"scope": "global", "pattern": "2:4"}, "try compress.magnitude.scope=layer"),
        ({"scope": "global", "layers": {"down": 0.2}}, "try compress.magnitude.scope=layer"),
    ],
)
def test_a_scope_that_cannot_be_is_refused_with_the_fix(settings, said):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (the text is what is tested)
        Magnitude(**settings)
    assert said in str(refused.value)
