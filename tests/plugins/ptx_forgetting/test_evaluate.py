"""General text before and after: bits per byte, and how far a model has moved."""

import json
import math

import pytest
import torch

import ptx_forgetting
import ptx_hf
from ptx import ModelRef, RunConfig
from ptx.lm.evaluation.texts import read
from ptx.testing import undeclared_metrics
from ptx_forgetting import Forgetting
from ptx_forgetting.evaluate import BITS, FLIPS, KL, evaluate
from ptx_hf import HF
from ptx_hf.model import load


@pytest.fixture
def run(make_run):
    return make_run(RunConfig(runtime=HF()), [ptx_hf, ptx_forgetting])


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "other.jsonl"
    rows = [
        {
            "text": f"Fin number {i} swam to the shore and saw a crab{'.' * i}",
            "domain": "sea" if i % 2 else "land",
        }
        for i in range(20)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.fixture
def lm(chat_model):
    return load(HF(), ModelRef.of(chat_model), "cpu")


def damage(lm, amount):
    with torch.no_grad():
        weight = lm.model.model.layers[0].mlp.up_proj.weight
        weight += amount * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))


def found_in(evaluation):
    return {metric.name: metric for metric in evaluation.metrics if not metric.segment}


def test_a_model_is_at_no_distance_from_itself_and_its_bits_are_those_of_its_log_probabilities(
    run, lm, chat_model, text
):
    model = ModelRef.of(chat_model)
    evaluation = evaluate(run, Forgetting([text]), model, lm, model)
    found = found_in(evaluation)
    assert found[KL].value == pytest.approx(0.0, abs=1e-6)
    assert found[FLIPS].value == 0.0
    nats, size = 0.0, 0
    for row in read(text, block=500):
        ids = torch.tensor(
            [[lm.tokenizer.bos_token_id, *lm.tokenizer(row.text, add_special_tokens=False)["input_ids"]]]
        )
        with torch.no_grad():
            probs = lm.model(ids).logits[0].double().log_softmax(-1)
        nats -= float(probs[:-1].gather(1, ids[0, 1:, None]).sum())
        size += row.bytes
    assert found[BITS].value == pytest.approx(nats / math.log(2) / size, rel=1e-6)
    assert {metric.segment for metric in evaluation.metrics} == {"", "domain=sea", "domain=land"}


def test_the_baseline_reads_on_its_own_runtime_where_one_is_given(make_run, chat_model, text, monkeypatch):
    """A package is compared with the model as it came, and the same folder on another runtime with itself."""
    config = RunConfig(runtime=HF(dtype="bfloat16"), baseline_runtime=HF(dtype="float32"))
    run = make_run(config, [ptx_hf, ptx_forgetting])
    model, opened = ModelRef.of(chat_model), []
    monkeypatch.setattr(
        "ptx_hf.model.load", lambda runtime, *rest: opened.append(runtime.dtype) or load(runtime, *rest)
    )
    lm = load(HF(dtype="bfloat16"), model, "cpu")
    for measured in (ModelRef(chat_model, "package"), model):
        found = found_in(evaluate(run, Forgetting([text]), measured, lm, model))
        assert found[KL].value > 1e-6
    assert set(opened) == {"float32"}


def test_more_damage_is_further_away_and_the_baseline_is_read_once(run, lm, chat_model, text):
    model, distances = ModelRef.of(chat_model), []
    for number in range(3):
        damage(lm, 0.1)
        changed = ModelRef(chat_model, f"changed {number}")
        distances.append(found_in(evaluate(run, Forgetting([text]), changed, lm, model))[KL])
    assert distances[0].low > 0
    assert distances[0].value < distances[1].value < distances[2].value
    assert sum("the baseline reads 20 general texts" in line for line in run.console.lines) == 1


def test_the_baseline_s_own_row_takes_no_second_pass_and_has_the_numbers_of_one(
    run, lm, chat_model, text, monkeypatch
):
    model, read_by = ModelRef.of(chat_model), []
    log_probs = type(lm).log_probs
    monkeypatch.setattr(type(lm), "log_probs", lambda lm, rows: read_by.append(lm) or log_probs(lm, rows))
    own = evaluate(run, Forgetting([text]), model, lm, model)
    assert len(read_by) == 1
    again = evaluate(run, Forgetting([text]), ModelRef(chat_model, "another digest"), lm, model)
    assert len(read_by) == 2  # another model reads the texts itself, and this one has the same weights
    assert own.metrics == again.metrics
    assert own.rows == again.rows


def test_a_window_shorter_than_the_texts_predicts_every_token_once(run, lm, chat_model, text):
    model = ModelRef.of(chat_model)
    whole, cut = (
        found_in(evaluate(run, Forgetting([text], window=size), model, lm, model)) for size in (256, 8)
    )
    assert cut[BITS].n == whole[BITS].n == 20
    assert cut[KL].value == pytest.approx(0.0, abs=1e-6)
    assert cut[BITS].value != whole[BITS].value


def test_models_of_different_vocabularies_are_compared_in_bits_alone(run, lm, chat_model, text, monkeypatch):
    class Other:
        def get_vocab(self):
            return {"other": 0}

    monkeypatch.setattr("ptx_forgetting.evaluate.load_tokenizer", lambda path: Other())
    found = found_in(
        evaluate(run, Forgetting([text]), ModelRef(chat_model, "changed"), lm, ModelRef.of(chat_model))
    )
    assert list(found) == [BITS]
    assert any("KL and flips are not measured" in line for line in run.console.lines)


def test_logits_that_are_not_finite_are_a_status_and_no_score(run, lm, chat_model, text):
    model = ModelRef.of(chat_model)
    evaluate(run, Forgetting([text]), model, lm, model)
    damage(lm, math.nan)
    evaluation = evaluate(run, Forgetting([text]), ModelRef(chat_model, "broken"), lm, model)
    assert {row["status"] for row in evaluation.rows} == {"failed"}
    found = found_in(evaluation)
    assert math.isnan(found[BITS].value)
    assert found["forgetting/text/unscored"].value == 1.0
    assert undeclared_metrics(Forgetting, evaluation.metrics) == []
    assert set(found) == set(Forgetting.metrics)
