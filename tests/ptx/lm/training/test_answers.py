"""Answers are scored in batches; what is shared is read once, and the numbers move by rounding only."""

import pytest
import torch

from ptx.lm.load import load_model
from ptx.lm.training import answers
from ptx.lm.training.branches import APART, Work

SHARED = Work(1e6, 64)  # what attention costs hardly counts
BOUND = 5e-6  # nats a token in float32; 5e-7 was seen, and 5e-3 in bfloat16


@pytest.mark.parametrize("tail", [None, 0.5])
@pytest.mark.parametrize("work", [APART, SHARED], ids=["apart", "shared"])
@pytest.mark.parametrize(("dtype", "bound"), [("float32", BOUND), ("bfloat16", 5e-2)])
def test_in_batches_of_any_size_the_numbers_move_by_rounding_only(ragged, network, tail, work, dtype, bound):
    network.to(getattr(torch, dtype))
    alone = {a: answers.log_probabilities(network, [a], tail)[0] for a in ragged}
    for tokens in (1, 60, 200, 10_000):
        for batch in answers.batches(ragged, tokens, work):
            for answer, value in zip(
                batch, answers.log_probabilities(network, batch, tail, work), strict=True
            ):
                assert abs(value - alone[answer]) <= bound * (len(answer.ids) - answer.start), tokens
    network.float()


def test_answers_to_one_prompt_are_in_one_batch_and_count_once(ragged):
    pairs = [one._replace(ids=(*one.ids, *end)) for one in ragged for end in ((7, 8), (9, 6))]
    (first, *_) = answers.batches(pairs, 60, SHARED)
    assert len(first) == 2
    assert first[0].ids[:-2] == first[1].ids[:-2]
    assert len(list(answers.batches(pairs, 120, SHARED))) < 0.7 * len(list(answers.batches(pairs, 120)))


def test_batches_are_a_function_of_the_answers_keep_to_the_budget_and_pad_little(ragged):
    made = list(answers.batches(ragged, 120))
    assert list(answers.batches([*reversed(ragged), *ragged], 120)) == made
    assert sorted(answer for batch in made for answer in batch) == sorted(ragged)
    assert all(len(batch) == 1 or len(batch) * len(batch[0].ids) <= 120 for batch in made)
    assert len(made) < len(ragged) / 2
    assert [len(batch) for batch in answers.batches(ragged, 0)] == [1] * len(ragged)
    padding = sum(len(batch[0].ids) - len(answer.ids) for batch in made for answer in batch)
    assert padding < 0.25 * sum(len(answer.ids) for answer in ragged)


def test_a_batch_for_which_memory_is_full_is_read_in_halves(ragged, network, monkeypatch):
    expected = answers.log_probabilities(network, ragged, None)
    forward = network.forward

    def small(*, input_ids, **options):
        if len(input_ids) > 3:
            raise torch.OutOfMemoryError
        return forward(input_ids=input_ids, **options)

    monkeypatch.setattr(network, "forward", small)
    found = answers.log_probabilities(network, ragged, None)
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.fixture
def ragged():
    """Answers of 5 to 43 tokens, with answers and shared parts of all lengths."""
    made = []
    for n in range(24):
        length = 5 + (n * 11) % 39
        start = 1 + n % (length - 2)
        ids = tuple((7 * place + n * n) % 250 + 6 for place in range(length))
        made.append(answers.Answer(ids, start, max((length - start) // (1 + n % 2), 1)))
    return made


@pytest.fixture
def network(chat_model):
    from trl.trainer.utils import add_fused_lm_head

    model = load_model(chat_model)
    add_fused_lm_head(model)
    return model.requires_grad_(False)
