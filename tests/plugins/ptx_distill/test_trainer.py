"""The loss in training: its parts, their sum, the projections, the map of layers."""

import pytest
import torch
from safetensors.torch import load_file

from ptx.lm.load import load_model, load_tokenizer
from ptx_distill import Distill
from ptx_distill.trainer import layer_map


def shown(run, name):
    return [numbers[name] for numbers in run.console.progressed if name in numbers]


def passes(shelf):
    return [entry for entry in shelf.entries() if entry.kind == "products"]


def test_all_words_one_by_one_are_the_plain_divergence(messages, teach, losses_of, chat_model, wide_teacher):
    """The first step's loss equals a slow reference, text by text, from the models themselves."""
    run, _ = teach(Distill, top_k=0, batch_size=16, max_steps=1)
    assert losses_of(run) == pytest.approx([slow_loss(messages, chat_model, wide_teacher)], rel=1e-4)
    fewer, _ = teach(Distill, "fewer", top_k=16, batch_size=16, max_steps=1)
    assert 0.2 * losses_of(run)[0] < losses_of(fewer)[0] < losses_of(run)[0]


def slow_loss(messages, student, teacher):
    tokenizer, models = load_tokenizer(student), [load_model(folder) for folder in (teacher, student)]
    total, count = 0.0, 0
    for row in messages:
        found = tokenizer.apply_chat_template(
            row["messages"], return_dict=True, return_assistant_tokens_mask=True
        )
        ids = torch.tensor([found["input_ids"]])
        with torch.no_grad():
            p, q = (network(input_ids=ids).logits[0].log_softmax(-1) for network in models)
        for place, learnt in enumerate(found["assistant_masks"]):
            if learnt:
                total += float((p[place - 1].exp() * (p[place - 1] - q[place - 1])).sum())
                count += 1
    return total / count


def test_a_short_training_on_much_data_runs_the_teacher_in_every_batch(messages, teach, shelf, losses_of):
    rows = messages * 3
    run, _ = teach(Distill, "short", rows=rows, max_steps=2)
    assert passes(shelf) == []
    assert any("reads 16 of 48 rows" in line for line in run.console.lines)


def test_the_student_comes_nearer_to_the_teacher(teach):
    run, _ = teach(Distill, max_steps=30, learning_rate=1e-2)
    assert shown(run, "divergence")[-1] < 0.5 * shown(run, "divergence")[0]


@pytest.mark.parametrize("kind", ["divergence", "hint_loss", "data_loss", "relation_loss"])
def test_every_part_is_learnt_and_the_loss_is_their_weighted_sum(teach, losses_of, kind):
    weights = {"logits_weight": 0.5, "data_weight": 0.25, "features_weight": 2.0, "attention_weight": 3.0}
    run, _ = teach(Distill, max_steps=30, learning_rate=1e-2, **weights)
    parts = zip(
        *(shown(run, name) for name in ("divergence", "data_loss", "hint_loss", "relation_loss")), strict=True
    )
    expected = [0.5 * one + 0.25 * two + 2.0 * three + 3.0 * four for one, two, three, four in parts]
    assert losses_of(run) == pytest.approx(expected, rel=1e-3)
    assert shown(run, kind)[-1] < 0.9 * shown(run, kind)[0]


def test_projections_are_learnt_and_no_part_of_the_result(teach, chat_model):
    _, result = teach(Distill, features_weight=1.0)
    assert (
        load_file(result.path / "model.safetensors").keys()
        == load_file(chat_model / "model.safetensors").keys()
    )


def test_layers_learn_from_evenly_spaced_ones():
    assert layer_map(3, 12) == [(1, 4), (2, 8), (3, 12)]
    assert layer_map(4, 4) == [(1, 1), (2, 2), (3, 3), (4, 4)]
