"""General text before and after: bits per byte, and how far a model has moved."""

import json
import math
from collections import Counter

import pytest
import torch

import ptx_forgetting
import ptx_hf
from ptx import ModelRef, RunConfig
from ptx.lm.evaluation.texts import read
from ptx.testing import check_plugin
from ptx_forgetting import EMBEDDED, Forgetting, ptx_evaluate, ptx_validate
from ptx_forgetting.evaluate import BITS, FLIPS, KL
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


def test_the_plugin_keeps_the_rules():
    check_plugin("ptx_forgetting")


def test_the_embedded_text_is_of_many_kinds_and_says_nothing_twice():
    rows = read(str(EMBEDDED), block=500)
    assert len(rows) == len({row.item for row in rows}) == 76
    assert min(Counter(row.segments["domain"] for row in rows).values()) >= 8
    assert set(Counter(row.segments["language"] for row in rows)) == {"en", "de", "es", "fr"}
    assert Forgetting().inputs() == [EMBEDDED]
    assert ptx_validate(RunConfig(eval={"forgetting": Forgetting()})) == []


def test_a_model_is_at_no_distance_from_itself_and_its_bits_are_those_of_its_log_probabilities(
    run, lm, chat_model, text
):
    model = ModelRef.of(chat_model)
    evaluation = ptx_evaluate(run, Forgetting([text]), model, lm, model)
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


def test_more_damage_is_further_away_and_the_model_as_it_came_is_read_once(run, lm, chat_model, text):
    model, distances = ModelRef.of(chat_model), []
    for number in range(3):
        damage(lm, 0.1)
        changed = ModelRef(chat_model, f"changed {number}")
        distances.append(found_in(ptx_evaluate(run, Forgetting([text]), changed, lm, model))[KL])
    assert distances[0].low > 0
    assert distances[0].value < distances[1].value < distances[2].value
    assert sum("the model as it came reads 20 general texts" in line for line in run.console.lines) == 1


def test_a_window_shorter_than_the_texts_predicts_every_token_once(run, lm, chat_model, text):
    model = ModelRef.of(chat_model)
    whole, cut = (
        found_in(ptx_evaluate(run, Forgetting([text], window=size), model, lm, model)) for size in (256, 8)
    )
    assert cut[BITS].n == whole[BITS].n == 20
    assert cut[KL].value == pytest.approx(0.0, abs=1e-6)
    assert cut[BITS].value != whole[BITS].value


def test_models_of_different_words_are_compared_in_bits_alone(run, lm, chat_model, text, monkeypatch):
    class Other:
        def get_vocab(self):
            return {"other": 0}

    monkeypatch.setattr("ptx_forgetting.evaluate.load_tokenizer", lambda path: Other())
    found = found_in(
        ptx_evaluate(run, Forgetting([text]), ModelRef(chat_model, "changed"), lm, ModelRef.of(chat_model))
    )
    assert list(found) == [BITS]
    assert any("KL and flips there are none" in line for line in run.console.lines)


def test_logits_that_are_not_finite_are_a_status_and_no_score(run, lm, chat_model, text):
    model = ModelRef.of(chat_model)
    ptx_evaluate(run, Forgetting([text]), model, lm, model)
    damage(lm, math.nan)
    evaluation = ptx_evaluate(run, Forgetting([text]), ModelRef(chat_model, "broken"), lm, model)
    assert {row["status"] for row in evaluation.rows} == {"failed"}
    found = found_in(evaluation)
    assert math.isnan(found[BITS].value)
    assert found["forgetting/text/unscored"].value == 1.0


def test_what_is_wrong_is_said():
    (problem,) = ptx_validate(RunConfig(eval={"forgetting": Forgetting(["none.txt"])}))
    assert str(problem) == "there is no text none.txt; eval.forgetting.texts=[./FILE.txt]"
    with pytest.raises(
        ValueError,
        match=r"eval\.forgetting\.limit must be at least 2, got 1; try eval\.forgetting\.limit=200",
    ):
        Forgetting(limit=1)
    assert ptx_evaluate(None, object(), ModelRef(EMBEDDED), None, None) is None
