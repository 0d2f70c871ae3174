"""The student: its layers and its vocabulary."""

import json

import pytest
import torch
from safetensors.torch import load_file

from ptx import StepError
from ptx_distill import Distill
from ptx_distill.student import chosen_layers


def test_another_tokenizer_is_refused_where_tokens_are_compared(teach, foreign):
    with pytest.raises(StepError, match="has another vocabulary than the student"):
        teach(Distill, teacher=foreign)


def test_a_student_that_is_its_own_teacher_gets_half_of_the_layers(teach, chat_model):
    run, result = teach(Distill, teacher=chat_model)
    assert json.loads((result.path / "config.json").read_text())["num_hidden_layers"] == 1
    assert "step: the student keeps layers 0 of 2" in run.console.lines


def test_a_student_keeps_the_named_layers(teach, chat_model, wide_teacher):
    _, result = teach(Distill, model=wide_teacher, keep_layers=[1, 3], learning_rate=1e-12)
    made, came = (load_file(folder / "model.safetensors") for folder in (result.path, wide_teacher))
    for place, layer in enumerate((1, 3)):
        name = "mlp.down_proj.weight"
        assert torch.allclose(
            made[f"model.layers.{place}.{name}"], came[f"model.layers.{layer}.{name}"], atol=1e-6
        )


def test_a_student_as_deep_as_its_own_teacher_is_refused(teach, chat_model):
    with pytest.raises(StepError, match="the student is its own teacher and keeps all 2 layers"):
        teach(Distill, teacher=chat_model, layers=2)


@pytest.mark.parametrize(
    ("settings", "own_teacher", "kept"),
    [
        ({}, False, None),
        ({}, True, [0, 3]),
        ({"layers": 2}, False, [0, 3]),
        ({"layers": 4}, False, None),
        ({"keep_layers": [1, 3]}, True, [1, 3]),
    ],
)
def test_layers_are_chosen_evenly_unless_they_are_named(settings, own_teacher, kept):
    assert chosen_layers(Distill(**settings), 4, own_teacher=own_teacher) == kept


def test_more_layers_than_there_are_cannot_be_chosen():
    with pytest.raises(StepError, match="the student needs at least 5 layers"):
        chosen_layers(Distill(layers=5), 4, own_teacher=False)
