"""Pretraining: packed rows, the weighted loss, the schedule, the optimizers."""

import math
from itertools import islice

import pytest
import torch

from ptx_tiny.corpus import Document
from ptx_tiny.pretrain import (
    BATCH,
    PROMPT_WEIGHT,
    ROW,
    WARMUP,
    batches,
    new_model,
    optimizers,
    rows,
    schedule,
    spans,
    weighted_loss,
)
from ptx_tiny.template import BOS, END, ROLES


def test_questions_count_less_than_answers_and_every_document_opens_and_ends():
    opening = BOS + ROLES["user"] + "2 + 2?" + END + ROLES["assistant"]
    assert spans(Document("2 + 2?", "4")) == [(opening, PROMPT_WEIGHT), ("4" + END, 1.0)]
    assert spans(Document("", "2 + 2 = 4")) == [(BOS, PROMPT_WEIGHT), ("2 + 2 = 4" + END, 1.0)]


def test_rows_are_full_and_the_same_for_the_same_seed(tokenizer):
    one, same, other = (list(islice(rows(tokenizer, seed), 3)) for seed in (1, 1, 2))
    assert one == same != other
    assert all(len(ids) == len(weights) == ROW for ids, weights in one)
    assert {weight for _, weights in one for weight in weights} == {PROMPT_WEIGHT, 1.0}


def test_batches_hold_ids_and_weights():
    source = [([place] * ROW, [1.0] * ROW) for place in range(BATCH + 1)]
    ((ids, weights),) = batches(source)
    assert ids.shape == weights.shape == (BATCH, ROW)
    assert ids[:, 0].tolist() == list(range(BATCH))


def test_the_loss_of_uniform_predictions_is_the_log_of_the_vocabulary():
    logits, ids = torch.zeros(2, 5, 7), torch.zeros(2, 5, dtype=torch.long)
    assert weighted_loss(logits, ids, torch.ones(2, 5)).item() == pytest.approx(math.log(7))


def test_the_loss_agrees_with_a_slow_reference_and_leaves_out_tokens_of_weight_0():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 6, generator=generator)
    ids = torch.randint(6, (2, 4), generator=generator)
    weights = torch.tensor([[9.0, 1.0, 0.2, 0.0], [9.0, 0.2, 1.0, 1.0]])  # nothing predicts the first token
    total = norm = 0.0
    for row in range(2):
        for place in range(1, 4):
            scores = logits[row, place - 1].tolist()
            log_norm = math.log(sum(math.exp(score) for score in scores))
            total += weights[row, place].item() * (log_norm - scores[ids[row, place]])
            norm += weights[row, place].item()
    found = weighted_loss(logits, ids, weights)
    assert found.item() == pytest.approx(total / norm, rel=1e-5)
    logits[0, 2] += torch.randn(6, generator=generator)  # predicts the token of weight 0
    assert weighted_loss(logits, ids, weights).item() == pytest.approx(found.item(), rel=1e-6)


def test_the_rate_warms_up_and_falls_to_2_percent():
    assert schedule(0.0, 0) == pytest.approx(1 / WARMUP)
    assert schedule(0.0, WARMUP) == 1.0
    assert schedule(0.5, WARMUP) == pytest.approx(0.51)
    assert schedule(1.0, WARMUP) == schedule(1.5, WARMUP) == pytest.approx(0.02)


def test_every_parameter_belongs_to_one_optimizer_and_matrices_of_layers_to_muon():
    model = new_model(300, 64, 0, {})
    muon, adam = ({id(p) for g in one.param_groups for p in g["params"]} for one in optimizers(model))
    assert not muon & adam
    assert muon | adam == {id(parameter) for parameter in model.parameters()}
    names = {name for name, parameter in model.named_parameters() if id(parameter) in muon}
    assert names
    assert all(".layers." in name and name.endswith("_proj.weight") for name in names)
