import math

import pytest
import torch

from ptx import StepError
from ptx.lm.drift import TEXTS, Drift, drift, predictions, refuse_moved, rows_of
from ptx.lm.load import load_model, load_tokenizer


def test_the_same_model_has_not_moved_and_another_has(plain_model):
    network, rows = load_model(plain_model), rows_of(load_tokenizer(plain_model))
    before = predictions(network, rows)
    same = drift(rows, before, predictions(network, rows))
    assert (same.kl, same.loss_before) == (0.0, same.loss_after)
    assert same.tokens == sum(len(row) - 1 for row in rows)
    with torch.no_grad():
        network.lm_head.weight.mul_(-2)
    moved = drift(rows, before, predictions(network, rows))
    assert moved.kl > 0.01
    with pytest.raises(StepError, match=r"merging must not change .* nats of KL per token .* try that"):
        refuse_moved(moved, "float32", "merging", "try that")
    refuse_moved(same, "float32", "merging", "try that")


def test_the_divergence_and_the_losses_are_those_of_their_definitions():
    before = torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log()
    after = torch.tensor([[0.25, 0.75], [0.9, 0.1]]).log()
    found = drift([[0, 1]], [before], [after])
    assert found.kl == pytest.approx((0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75)) / 2)
    assert found.loss_before == pytest.approx(math.log(2))
    assert found.loss_after == pytest.approx(-math.log(0.75))
    assert found.ratio == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("before", "after", "collapsed"),
    [(2.0, 6.0, True), (2.0, math.nan, True), (2.0, 4.0, False), (4.5, 6.0, False), (6.0, 6.0, False)],
)
def test_a_collapse_is_worse_than_guessing_after_being_better_by_a_nat(before, after, collapsed):
    assert Drift(0.1, before, after, 10, 150).collapsed is collapsed


def test_rows_are_short_and_never_empty(plain_model):
    tokenizer = load_tokenizer(plain_model)
    assert len(rows_of(tokenizer)) == len(TEXTS)
    assert {len(row) for row in rows_of(tokenizer, limit=5)} == {5}
    assert rows_of(tokenizer, [""]) == []


def test_rows_of_other_lengths_beside_a_row_do_not_move_it(plain_model):
    network, rows = load_model(plain_model, dtype="float32"), rows_of(load_tokenizer(plain_model))
    rows = [row[: 3 + 11 * place] for place, row in enumerate(rows)]
    together = predictions(network, rows)
    for row, found in zip(rows, together, strict=True):
        (alone,) = predictions(network, [row])
        assert found.shape == alone.shape
        torch.testing.assert_close(found, alone, atol=1e-5, rtol=0)
