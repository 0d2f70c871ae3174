"""What a step holds in all: passes of any size add up to the step's mean."""

import pytest
import torch

from ptx.lm.training.step_counts import chosen_texts, chosen_tokens, counting, pairs


def batch(*chosen):
    """Pairs with answers of these lengths behind prompts of two tokens; the rejected sides have one."""
    width = 2 + max(chosen)
    mask = torch.zeros(2 * len(chosen), width)
    for place, length in enumerate(chosen):
        mask[place, 2 : 2 + length] = 1
        mask[len(chosen) + place, 2] = 1
    attention = mask.clone()
    attention[:, :2] = 1
    return {"input_ids": mask.long(), "completion_mask": mask, "attention_mask": attention}


class Plain:
    """A trainer without a model."""

    current_gradient_accumulation_steps = 2

    def __init__(self):
        self.model, self.accelerator = torch.nn.Identity(), self

    def gather(self, value):
        return value

    def get_batch_samples(self, iterator, number, device):
        return [next(iterator) for _ in range(number)], None


def test_pairs_tokens_and_texts_of_a_batch_are_counted():
    found = batch(3, 1)
    assert (int(chosen_tokens(found)), int(chosen_texts(found)), pairs(found)) == (4, 6, 2)


def test_means_of_passes_weigh_as_much_as_they_hold():
    trainer = counting(Plain, answers=chosen_tokens, pairs=pairs)()
    parts = [batch(3, 1), batch(8)]
    assert trainer.share("answers", parts[0]) == 1.0  # before the first step
    trainer.get_batch_samples(iter(parts), 2, "cpu")
    assert [trainer.share("answers", part) / 2 for part in parts] == [
        pytest.approx(4 / 12),
        pytest.approx(8 / 12),
    ]
    assert [trainer.share("pairs", part) / 2 for part in parts] == [
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    ]
    trainer.model.eval()
    assert trainer.share("answers", parts[0]) == 1.0
