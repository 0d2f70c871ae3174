import json
from pathlib import Path

import pytest
import torch

import ptx_structured_pruning
import ptx_tiny
from ptx import ModelRef, RunConfig, StepError
from ptx.files import file_digest, read_rows
from ptx.lm.load import load_model, load_tokenizer
from ptx.testing import check_plugin
from ptx_structured_pruning import Depth, Width, cut, ptx_compress
from ptx_tiny.data import calibration

TINY = Path(ptx_tiny.__file__).parent / "model"
FAST = {"samples": 6, "max_length": 48}


@pytest.fixture(scope="module")
def texts():
    return [row["text"] for _, row in zip(range(60), calibration(), strict=False)]


@pytest.fixture
def shrink(make_run, make_data, texts):
    def go(config, model=TINY, name="step"):
        data = make_data("calibration", [{"text": text} for text in texts[:40]])
        run = make_run(RunConfig(), (), name)
        return run, ptx_compress(run, config, ModelRef.of(model), data)

    return go


def loss(path, texts):
    model, tokenizer, total, count = load_model(path), load_tokenizer(TINY), 0.0, 0
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"][:128]])
            total, count = (
                total + float(model(input_ids=ids, labels=ids).loss) * (ids.shape[1] - 1),
                count + ids.shape[1] - 1,
            )
    return total / count


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_structured_pruning")


@pytest.mark.parametrize("importance", ptx_structured_pruning.DEPTH_IMPORTANCE)
def test_a_layer_goes_and_its_bytes_with_it(shrink, importance):
    run, ref = shrink(Depth(layers=1, importance=importance, **FAST))
    smaller, before = load_model(ref.path), load_model(TINY)
    assert smaller.config.num_hidden_layers == before.config.num_hidden_layers - 1
    logged = run.console.progressed[-1]
    assert (
        logged["parameters"]
        == smaller.num_parameters()
        < logged["parameters_before"]
        == before.num_parameters()
    )
    assert logged["bytes"] < logged["bytes_before"]
    assert any("removing 1 of 3 layers: " in line for line in run.console.lines)
    assert load_tokenizer(ref.path).chat_template == load_tokenizer(TINY).chat_template


def test_by_loss_the_layer_goes_without_which_the_loss_is_lowest(shrink, texts):
    _, best = shrink(Depth(layers=1, importance="loss", samples=40, max_length=128))
    by_loss = loss(best.path, texts[:40])
    model = load_model(TINY)
    losses = []
    for gone in range(3):
        kept = torch.nn.ModuleList(layer for number, layer in enumerate(model.model.layers) if number != gone)
        other = load_model(TINY)
        other.model.layers, other.config.num_hidden_layers = kept, 2
        other.save_pretrained(best.path.parent / f"without-{gone}")
        losses.append(loss(best.path.parent / f"without-{gone}", texts[:40]))
    assert by_loss == pytest.approx(min(losses), rel=1e-5)


@pytest.mark.parametrize("importance", ptx_structured_pruning.WIDTH_IMPORTANCE)
def test_every_kind_of_unit_goes_in_one_step(shrink, importance):
    before = load_model(TINY).config
    groups = before.num_key_value_heads
    share = {"groups": 0.5} if groups > 1 else {}
    _, ref = shrink(Width(ffn=0.75, hidden=0.5, multiple=8, importance=importance, **share, **FAST))
    config = load_model(ref.path).config
    assert config.hidden_size == before.hidden_size // 2
    assert config.intermediate_size == round(before.intermediate_size * 0.75 / 8) * 8
    assert config.num_key_value_heads == (groups // 2 if groups > 1 else groups)
    assert config.head_dim == before.hidden_size // before.num_attention_heads


@pytest.mark.parametrize("importance", ptx_structured_pruning.WIDTH_IMPORTANCE)
def test_what_is_kept_by_importance_loses_less_than_what_it_would_remove(
    shrink, texts, monkeypatch, importance
):
    config = Width(ffn=0.5, importance=importance, samples=24, max_length=128)
    kept = loss(shrink(config)[1].path, texts[40:])
    honest = ptx_structured_pruning.shrink.largest
    monkeypatch.setattr(
        ptx_structured_pruning.shrink, "largest", lambda scores, count: honest(-scores, count)
    )
    assert loss(TINY, texts[40:]) < kept < loss(shrink(config, name="worst")[1].path, texts[40:])


def test_the_same_step_gives_the_same_bytes(shrink):
    made = [shrink(Width(ffn=0.5, hidden=0.5, **FAST), name=name)[1] for name in ("one", "two")]
    assert file_digest(made[0].path / "model.safetensors") == file_digest(made[1].path / "model.safetensors")


@pytest.fixture
def cut_at_length(make_run, make_data, texts):
    """Every row has 32 tokens, so that rows can share a batch."""

    def go(config, name):
        run = make_run(RunConfig(), (), name)
        data = make_data("calibration", [{"text": text} for text in texts if len(text) > 200])
        return run, ptx_compress(run, config, ModelRef.of(TINY), data)

    return go


@pytest.mark.parametrize("importance", ["influence", "angular", "taylor", "loss"])
def test_rows_that_share_a_batch_count_as_much_as_alone_for_layers(cut_at_length, importance):
    said = []
    for size in (1, 4):
        run, _ = cut_at_length(
            Depth(layers=1, importance=importance, samples=8, max_length=32, batch_size=size), f"size{size}"
        )
        said.append(next(line for line in run.console.lines if "removing 1 of 3" in line))
        calibrated = next(event for event in read_rows(run.events) if event["event"] == "calibration")
        assert calibrated["rows"] == 8
        assert calibrated["tokens"] == 8 * 32
    assert said[0] == said[1], "the scores are in it, to three digits"


@pytest.mark.parametrize("importance", ptx_structured_pruning.WIDTH_IMPORTANCE)
def test_rows_that_share_a_batch_count_as_much_as_alone_for_channels(cut_at_length, importance):
    made = [
        cut_at_length(
            Width(ffn=0.5, importance=importance, samples=8, max_length=32, batch_size=size), f"size{size}"
        )[1]
        for size in (1, 4)
    ]
    assert file_digest(made[0].path / "model.safetensors") == file_digest(made[1].path / "model.safetensors")


def test_calibration_rows_come_by_weight(shrink, tmp_path):
    (tmp_path / "more.jsonl").write_text(
        "".join(json.dumps({"text": f"the {n} small birds looked at the garden"}) + "\n" for n in range(9))
    )
    run, _ = shrink(
        Depth(layers=1, mix={"calibration": 1, str(tmp_path / "more.jsonl"): 2}, samples=6, max_length=48)
    )
    (event,) = [event for event in read_rows(run.events) if event["event"] == "calibration"]
    assert event["parts"] == {"calibration": 2, str(tmp_path / "more.jsonl"): 4}


def test_a_calibration_that_cannot_be_is_refused_before_anything_is_loaded():
    config = RunConfig(compress={"depth": Depth(mix={"mesages": 1})})
    (problem,) = ptx_structured_pruning.ptx_validate(config, TINY, None)
    assert "compress.depth.mix: no shape 'mesages'" in str(problem)


def test_a_smaller_model_that_computes_something_else_is_an_error(shrink, monkeypatch):
    monkeypatch.setattr(cut, "_norm", lambda weight, _factor, _shift: weight)
    with pytest.raises(StepError, match="the smaller model is not the original without the removed units"):
        shrink(Width(hidden=0.5, **FAST))


def test_a_step_checks_the_model_it_is_given_not_only_the_recipes_first(shrink, tmp_path):
    _, ref = shrink(Depth(layers=2, **FAST))
    with pytest.raises(StepError, match="removes 2 of 1 layers"):
        shrink(Depth(layers=2, **FAST), ref.path, "again")
