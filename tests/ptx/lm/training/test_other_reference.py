"""A reference that is not the step's input."""

import math

import pytest
import torch

import ptx_dpo
from ptx import ModelRef, RunConfig, StepError
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx_dpo import DPO
from tests.plugins.conftest import TEMPLATE, save_tiny_llama

PAIRS = [
    {"prompt": f"what is {n} plus {n}? ", "chosen": f"it is {2 * n}", "rejected": "who knows?"}
    for n in range(8)
]
QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 2, "warmup": 0.0, "micro_batch": None}


@pytest.fixture
def first_losses(make_run, train, make_data, chat_model, losses_of):
    def start(name, models=None, **settings):
        run = make_run(RunConfig(method=DPO(**QUICK, **settings)), [ptx_dpo], name).at(models=models or {})
        train(run, chat_model, make_data("pairs", PAIRS))
        return losses_of(run)

    return start


@pytest.fixture
def moved(chat_model, tmp_path):
    """The same model with other weights in its last norm."""
    model = load_model(chat_model)
    with torch.no_grad():
        model.model.norm.weight.mul_(1.3)
    save_model(model, load_tokenizer(chat_model), tmp_path / "moved")
    return ModelRef.of(tmp_path / "moved")


def test_another_reference_gives_another_loss_stored_or_in_every_batch(first_losses, moved):
    own = first_losses("own")
    assert own[0] == pytest.approx(math.log(2), abs=1e-6)
    stored = first_losses("stored", {"reference": moved}, reference="start")
    live = first_losses("live", {"reference": moved}, reference="start", cache_reference=False)
    assert abs(stored[0] - own[0]) > 1e-3
    assert live == pytest.approx(stored, rel=1e-4)


def test_the_input_under_another_name_is_the_input(first_losses, chat_model):
    named = first_losses("named", {"reference": ModelRef.of(chat_model)}, reference="start")
    assert named == first_losses("own")


def test_a_reference_with_other_tokens_is_refused(first_losses, tmp_path):
    other = save_tiny_llama(tmp_path / "other", TEMPLATE, hidden_size=16)
    file = other / "tokenizer.json"
    file.write_text(file.read_text().replace("<|system|>", "<|sys|>"))
    with pytest.raises(StepError, match="has other tokens than"):
        first_losses("refused", {"reference": ModelRef.of(other)}, reference="./other")


def test_it_is_named_as_other_models_are():
    assert DPO().models({}) == {}
    assert DPO(reference="sft").models({"sft": None}) == {"reference": "sft"}
