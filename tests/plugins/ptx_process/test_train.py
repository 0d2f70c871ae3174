"""Process reward models trained on steps with a rule that can be learnt."""

import json
import math

import pytest
import torch

import ptx_process
from ptx import Lora, RunConfig
from ptx.lm.load import load_tokenizer
from ptx.models.language import kind_of_folder
from ptx_process import Process
from ptx_process.score import load
from ptx_process.steps import encode
from ptx_process.train import MASKED, labelled
from tests.plugins.ptx_process.conftest import SOLUTIONS


def test_labels_stand_at_the_ends_of_steps_alone(chat_model):
    tokenizer = load_tokenizer(chat_model)
    (row,) = labelled(SOLUTIONS[1:2], tokenizer)
    ends = encode(tokenizer, SOLUTIONS[1]["prompt"], SOLUTIONS[1]["steps"]).ends
    assert [row["labels"][end] for end in ends] == [1, 0, 1]
    assert sum(label != MASKED for label in row["labels"]) == 3


def test_it_learns_which_steps_are_wrong_and_is_scored_as_it_was_trained(
    process, make_data, chat_model, losses_of
):
    run, made = process(chat_model, make_data("steps", SOLUTIONS))
    losses = losses_of(run)
    assert losses[0] == pytest.approx(math.log(2), abs=0.3)  # two labels, and a head that was drawn
    assert losses[-1] < 0.2
    assert "classifier of tokens" in kind_of_folder(made.path)
    scorer = Process(model=str(made.path))
    texts = ["\n".join(one["steps"]) for one in SOLUTIONS]
    scores = run.score(scorer, [one["prompt"] for one in SOLUTIONS], texts, [None] * len(texts))
    judged = [[value >= 0.5 for value in json.loads(one.said)] for one in scores]
    right = [
        a == b
        for row, one in zip(judged, SOLUTIONS, strict=True)
        for a, b in zip(row, one["labels"], strict=True)
    ]
    assert sum(right) / len(right) > 0.9
    # the steps behind a step do not change its score
    model, tokenizer = load(made.path, "cpu"), load_tokenizer(made.path)
    first, whole = (encode(tokenizer, "count 1", SOLUTIONS[1]["steps"][:n]) for n in (1, 3))
    with torch.no_grad():
        a, b = (model(torch.tensor([one.ids])).logits[0, first.ends[0]] for one in (first, whole))
    assert torch.allclose(a, b, atol=1e-5)


def test_the_loss_does_not_depend_on_how_a_step_is_cut_into_passes(process, make_data, chat_model, losses_of):
    data = make_data("steps", SOLUTIONS)
    found = [
        losses_of(process(chat_model, data, name=f"m{size}", max_steps=2, micro_batch=size)[0])
        for size in (4, 16)
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-5)


def test_an_adapter_is_merged_with_its_head(process, make_data, chat_model):
    run, made = process(chat_model, make_data("steps", SOLUTIONS), max_steps=2, lora=Lora(r=2))
    assert load(made.path, "cpu").config.num_labels == 2
    (score,) = run.score(Process(model=str(made.path), aggregate="last"), ["q"], ["a\nb"], [None])
    assert 0 < score < 1


def test_what_cannot_be_scored_says_why(process, make_data, chat_model):
    run, made = process(chat_model, make_data("steps", SOLUTIONS), max_steps=1)
    empty, long = run.score(
        Process(model=str(made.path), max_length=40), ["q"] * 2, [" ", "a " * 60], [None] * 2
    )
    assert math.isnan(empty)
    assert "no step" in empty.said
    assert "takes 40" in long.said
    assert RunConfig(scorer={"process": Process()})
    assert ptx_process.AGGREGATES == ("min", "product", "last")
