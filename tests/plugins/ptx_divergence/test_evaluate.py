import pytest
import torch

import ptx_divergence
import ptx_hf
from ptx import ModelRef, RunConfig, StepError
from ptx.testing import undeclared_metrics
from ptx_divergence import Divergence
from ptx_divergence.evaluate import evaluate
from ptx_hf import HF
from ptx_hf.model import load


@pytest.fixture
def run(make_run):
    return make_run(RunConfig(runtime=HF()), [ptx_hf, ptx_divergence])


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "stories.txt"
    file.write_text("".join(f"Fin number {i} swam to the shore and saw a crab.\n" for i in range(40)))
    return str(file)


def found_in(evaluation):
    return {metric.name: metric for metric in evaluation.metrics if not metric.segment}


def test_a_model_is_at_no_distance_from_itself(run, chat_model, text):
    model = ModelRef.of(chat_model)
    evaluation = evaluate(run, Divergence([text], block=100), load(HF(), model, "cpu"), model)
    found = found_in(evaluation)
    assert all(row["latency"] > 0 for row in evaluation.rows)
    assert found["divergence/kl"].value == pytest.approx(0.0, abs=1e-6)
    assert found["divergence/flips"].value == 0.0
    assert undeclared_metrics(Divergence, evaluation.metrics) == []


def test_more_damage_is_further_away_and_the_baseline_is_read_once(run, chat_model, text):
    model, lm = ModelRef.of(chat_model), load(HF(), ModelRef.of(chat_model), "cpu")
    distances = []
    for _ in range(3):
        with torch.no_grad():
            weight = lm.model.model.layers[0].mlp.up_proj.weight
            weight += 0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
        evaluation = evaluate(run, Divergence([text], block=100), lm, model)
        distances.append(found_in(evaluation)["divergence/kl"])
    assert distances[0].low > 0
    assert distances[0].value < distances[1].value < distances[2].value
    assert sum("the baseline reads" in line for line in run.console.lines) == 1
    rows = evaluation.rows
    assert sum(row["scores"]["divergence/kl"] * row["weight"] for row in rows) / sum(
        row["weight"] for row in rows
    ) == pytest.approx(distances[2].value)


def test_no_baseline_is_an_error(run, chat_model, text):
    with pytest.raises(StepError, match="needs the model folder"):
        evaluate(run, Divergence([text]), load(HF(), ModelRef.of(chat_model), "cpu"), None)


def test_a_baseline_of_another_vocabulary_is_an_error(run, chat_model, text, monkeypatch):
    class Other:
        def get_vocab(self):
            return {"other": 0}

    monkeypatch.setattr("ptx_divergence.evaluate.load_tokenizer", lambda path: Other())
    model = ModelRef.of(chat_model)
    with pytest.raises(StepError, match=r"vocabulary differs .*; leave divergence out"):
        evaluate(run, Divergence([text]), load(HF(), model, "cpu"), model)
