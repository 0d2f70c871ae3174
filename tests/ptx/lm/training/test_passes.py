"""Short passes and a short output layer: less is computed, and the losses and gradients stay."""

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from ptx.config import Exact, Speed
from ptx.lm.load import load_model
from ptx.lm.training.passes import pass_rows, short_head, short_passes, trainer_with_short_passes

LENGTHS = [9, 40, 12, 7, 22, 11, 8, 35]


@pytest.fixture
def batch():
    """Rows of the lengths above, whose second half is learnt, padded at their end."""
    width = max(LENGTHS)
    ids = torch.arange(len(LENGTHS) * width).reshape(-1, width) % 250 + 6
    real = torch.arange(width) < torch.tensor(LENGTHS)[:, None]
    learnt = real & (torch.arange(width) >= torch.tensor(LENGTHS)[:, None] // 2)
    return {
        "input_ids": ids.masked_fill(~real, 0),
        "attention_mask": real.long(),
        "labels": ids.masked_fill(~learnt, -100),
    }


@pytest.fixture
def network(chat_model):
    model = load_model(chat_model)
    add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    return model


def test_passes_hold_every_row_once_the_longest_first_and_reach_their_tokens():
    made = pass_rows(LENGTHS, 60)
    assert sorted(place for rows in made for place in rows) == list(range(len(LENGTHS)))
    assert [LENGTHS[place] for rows in made for place in rows] == sorted(LENGTHS, reverse=True)
    assert all(len(rows) * LENGTHS[rows[0]] >= 60 for rows in made[:-1])


def test_parts_hold_every_token_and_label_and_less_padding(batch):
    parts = short_passes(batch, 50)
    assert len(parts) > 2
    for name in batch:
        whole = sorted(row[row != 0].tolist() for row in batch[name] if name != "labels")
        cut = sorted(row[row != 0].tolist() for part in parts for row in part[name] if name != "labels")
        assert cut == whole
    learnt = sum(int((part["labels"] != -100).sum()) for part in parts)
    assert learnt == int((batch["labels"] != -100).sum())
    size = sum(part["input_ids"].numel() for part in parts)
    assert size < 0.7 * batch["input_ids"].numel()


@pytest.mark.parametrize("spoilt", ["packed", "images", "left", "small"])
def test_a_batch_of_another_form_stays_whole(batch, spoilt):
    changed = {
        "packed": lambda: {k: v for k, v in batch.items() if k != "attention_mask"},
        "images": lambda: batch | {"pixel_values": torch.zeros(8, 3, 4, 4)},
        "left": lambda: {k: v.flip(1) for k, v in batch.items()},
        "small": lambda: {k: v[:1] for k, v in batch.items()},
    }[spoilt]()
    (only,) = short_passes(changed, 50)
    assert only is changed


def gradients(network, parts, *, short):
    network.zero_grad()
    items = sum(int((part["labels"][:, 1:] != -100).sum()) for part in parts)
    loss = 0.0
    with short_head("cpu", wanted=short):
        for part in parts:
            out = network(**part, fused_lm_head=True, use_cache=False)
            one = -out.log_probs.sum() / items
            one.backward()
            loss += float(one.detach())
    return loss, torch.cat([weight.grad.flatten() for weight in network.parameters()])


def test_loss_and_gradients_of_short_passes_with_a_short_head_are_those_of_the_whole_batch(network, batch):
    loss, whole = gradients(network, [batch], short=False)
    for parts, short in [([batch], True), (short_passes(batch, 50), False), (short_passes(batch, 50), True)]:
        other, added = gradients(network, parts, short=short)
        assert other == pytest.approx(loss, rel=1e-6)
        assert torch.allclose(added, whole, atol=1e-6)


def test_the_short_head_computes_places_with_a_label_only_and_is_gone_afterwards(network, batch, monkeypatch):
    from trl.trainer import utils

    seen = []
    apply = utils._ChunkedLogProbFunction.apply
    monkeypatch.setattr(
        utils._ChunkedLogProbFunction,
        "apply",
        lambda hidden, *rest: seen.append(len(hidden)) or apply(hidden, *rest),
    )
    for short in (True, False):
        with short_head("cpu", wanted=short), torch.no_grad():
            network(**batch, fused_lm_head=True)
    learnt = int((batch["labels"][:, 1:] != -100).sum())
    assert seen == [learnt, batch["labels"][:, 1:].numel()]


def test_a_trainer_has_short_passes_unless_told_otherwise_or_with_several_ranks(monkeypatch):
    import trl

    assert trainer_with_short_passes("SFTTrainer", Exact(), "cpu") is trl.SFTTrainer
    made = trainer_with_short_passes("SFTTrainer", Speed(), "cpu")
    assert issubclass(made, trl.SFTTrainer)
    assert made is not trl.SFTTrainer
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert trainer_with_short_passes("SFTTrainer", Speed(), "cpu") is trl.SFTTrainer
