import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import ptx_hf
import ptx_perplexity
from ptx import ModelRef, RunConfig, StepError
from ptx.stats import paired_difference
from ptx.testing import undeclared_metrics
from ptx_hf import HF
from ptx_hf.model import load
from ptx_perplexity import Perplexity
from ptx_perplexity.evaluate import evaluate

STORY = "Once there was a fish named Fin. He swam near the shore and saw a crab.\n"


@pytest.fixture
def run(make_run):
    return make_run(RunConfig(runtime=HF()), [ptx_hf, ptx_perplexity])


@pytest.fixture(scope="module")
def lm(chat_model):
    return load(HF(), ModelRef(chat_model), "cpu")


@pytest.fixture
def texts(tmp_path):
    rows = [
        {"text": f"{STORY * (1 + i % 3)}{chr(97 + i) * 80}", "language": "en" if i % 2 else "de"}
        for i in range(9)
    ]
    file = tmp_path / "stories.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def found_in(evaluation):
    return {metric.name + metric.segment: metric for metric in evaluation.metrics}


def test_bits_per_byte_are_lm_evals_rolling_log_likelihood(run, lm, texts):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    evaluation = evaluate(run, Perplexity([texts], window=100), lm)
    requests = [
        Instance("loglikelihood_rolling", {}, (json.loads(line)["text"],), 0)
        for line in Path(texts).read_text().splitlines()
    ]
    direct = HFLM(
        pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=1, max_length=100
    ).loglikelihood_rolling(requests, disable_tqdm=True)
    assert [row["nats"] for row in evaluation.rows] == pytest.approx([-value for value in direct], rel=1e-5)
    assert all(row["latency"] > 0 for row in evaluation.rows)
    size = sum(len(request.args[0].encode()) for request in requests)
    assert found_in(evaluation)["perplexity/stories/bits_per_byte"].value == pytest.approx(
        -sum(direct) / math.log(2) / size, rel=1e-5
    )


def test_perplexity_is_the_exponential_of_the_nats_per_token_and_so_is_the_mean_of_its_scores(run, lm, texts):
    evaluation = evaluate(run, Perplexity([texts]), lm)
    metric = found_in(evaluation)["perplexity/stories/perplexity"]
    nats, tokens, size = (sum(row[key] for row in evaluation.rows) for key in ("nats", "tokens", "weight"))
    assert metric.value == pytest.approx(math.exp(nats / tokens))
    scores = [row["scores"]["perplexity/stories/perplexity"] * row["weight"] for row in evaluation.rows]
    assert sum(scores) / size == pytest.approx(metric.value)
    assert metric.low < metric.value < metric.high


def test_intervals_of_perplexity_are_those_of_the_delta_method(run, lm, texts):
    """d exp(N / T) = exp(N / T) (dN - (N / T) dT) / T, the variance over documents."""
    rows = evaluate(run, Perplexity([texts]), lm).rows
    nats, tokens = (np.array([row[key] for row in rows], float) for key in ("nats", "tokens"))
    mean = nats.sum() / tokens.sum()
    error = math.exp(mean) * math.sqrt((((nats - mean * tokens) ** 2).sum()) / tokens.sum() ** 2)
    scores = {row["item"]: row["scores"]["perplexity/stories/perplexity"] for row in rows}
    found = paired_difference(
        scores, dict.fromkeys(scores, 0.0), weights={row["item"]: row["weight"] for row in rows}
    )
    assert found.error == pytest.approx(error, rel=0.08)  # the leverage of long documents is corrected for


def test_small_damage_is_found_by_pairing_and_missed_without_it(run, lm, texts):
    config = Perplexity([texts])
    before = evaluate(run, config, lm)
    weight = lm.model.model.layers[0].mlp.up_proj.weight
    kept = weight.detach().clone()
    try:
        with torch.no_grad():
            weight += 0.02 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
        after = evaluate(run, config, lm)
    finally:
        with torch.no_grad():
            weight.copy_(kept)
    name = "perplexity/stories/bits_per_byte"
    a, b = ({row["item"]: row["scores"][name] for row in one.rows} for one in (after, before))
    paired = paired_difference(a, b, "lower", weights={row["item"]: row["weight"] for row in before.rows})
    assert (paired.high - paired.low) < (found_in(before)[name].high - found_in(before)[name].low) / 3


def test_segments_are_the_columns_of_the_data(run, lm, texts):
    found = found_in(evaluate(run, Perplexity([texts]), lm))
    name = "perplexity/stories/bits_per_byte"
    assert found[f"{name}language=de"].n + found[f"{name}language=en"].n == found[name].n == 9


class Broken:
    def __init__(self, lm, every):
        self.lm, self.every, self.asked = lm, every, 0
        self.tokenizer, self.max_length = lm.tokenizer, lm.max_length

    def logits(self, rows):
        for scores in self.lm.logits(rows):
            self.asked += 1
            yield scores * (math.nan if self.asked % self.every == 0 else 1.0)


def test_logits_that_are_not_finite_are_a_status_and_a_rate(run, lm, texts):
    evaluation = evaluate(run, Perplexity([texts]), Broken(lm, 3))
    failed = [row.get("status") for row in evaluation.rows].count("failed")
    assert 0 < failed < 9
    found = found_in(evaluation)
    assert found["perplexity/stories/unscored"].value == pytest.approx(failed / 9)
    assert found["perplexity/stories/bits_per_byte"].n == 9 - failed
    with pytest.raises(StepError, match="no text could be scored"):
        evaluate(run, Perplexity([texts]), Broken(lm, 1))


def test_every_metric_that_is_measured_is_declared(run, lm, texts):
    evaluation = evaluate(run, Perplexity([texts]), Broken(lm, 3))
    assert undeclared_metrics(Perplexity, evaluation.metrics) == []
    assert len({metric.name for metric in evaluation.metrics}) == len(Perplexity.metrics)


def test_the_core_calls_the_evaluation_that_the_choice_names(run, lm, texts):
    found = run.host.first(
        "ptx_evaluate", run=run, evaluator=Perplexity([texts]), model=None, lm=lm, baseline=None
    )
    assert found_in(found)["perplexity/stories/perplexity"].n == 9
