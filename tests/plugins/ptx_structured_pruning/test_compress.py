import json
from pathlib import Path

import pytest

import ptx_structured_pruning
import ptx_tiny
from ptx import StepError
from ptx.files import file_digest, read_rows
from ptx.lm.load import load_model, load_tokenizer
from ptx_structured_pruning import Depth, Width, cut

TINY = Path(ptx_tiny.__file__).parent / "model"
FAST = {"samples": 6, "max_length": 48}


@pytest.mark.parametrize("importance", ptx_structured_pruning.DEPTH_IMPORTANCE)
def test_a_layer_goes_and_its_bytes_with_it(compress, importance):
    run, ref = compress(Depth(layers=1, importance=importance, **FAST))
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


@pytest.mark.parametrize("importance", ptx_structured_pruning.WIDTH_IMPORTANCE)
def test_every_kind_of_unit_goes_in_one_step(compress, importance):
    before = load_model(TINY).config
    groups = before.num_key_value_heads
    share = {"groups": 0.5} if groups > 1 else {}
    _, ref = compress(Width(ffn=0.75, hidden=0.5, multiple=8, importance=importance, **share, **FAST))
    config = load_model(ref.path).config
    assert config.hidden_size == before.hidden_size // 2
    assert config.intermediate_size == round(before.intermediate_size * 0.75 / 8) * 8
    assert config.num_key_value_heads == (groups // 2 if groups > 1 else groups)
    assert config.head_dim == before.hidden_size // before.num_attention_heads


def test_the_same_step_gives_the_same_bytes(compress):
    made = [compress(Width(ffn=0.5, hidden=0.5, **FAST), name=name)[1] for name in ("one", "two")]
    assert file_digest(made[0].path / "model.safetensors") == file_digest(made[1].path / "model.safetensors")


def test_calibration_rows_come_by_weight(compress, tmp_path):
    (tmp_path / "more.jsonl").write_text(
        "".join(json.dumps({"text": f"the {n} small birds looked at the garden"}) + "\n" for n in range(9))
    )
    run, _ = compress(
        Depth(layers=1, mix={"calibration": 1, str(tmp_path / "more.jsonl"): 2}, samples=6, max_length=48)
    )
    (event,) = [event for event in read_rows(run.events) if event["event"] == "calibration"]
    assert event["parts"] == {"calibration": 2, str(tmp_path / "more.jsonl"): 4}


def test_a_smaller_model_that_computes_something_else_is_an_error(compress, monkeypatch):
    monkeypatch.setattr(cut, "_norm", lambda weight, _factor, _shift: weight)
    with pytest.raises(StepError, match="the smaller model is not the original without the removed units"):
        compress(Width(hidden=0.5, **FAST))


def test_a_step_checks_the_model_it_is_given_not_only_the_recipes_first(compress, tmp_path):
    _, ref = compress(Depth(layers=2, **FAST))
    with pytest.raises(StepError, match="removes 2 of 1 layers"):
        compress(Depth(layers=2, **FAST), ref.path, "again")
