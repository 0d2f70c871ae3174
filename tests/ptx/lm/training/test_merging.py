"""What a merge did is measured on what is saved, and stands in the record."""

import pytest
import torch

import ptx_sft
from ptx import Lora, RunConfig, Speed
from ptx.files import read_rows
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx_sft import SFT

ROWS = [{"prompt": f"what is {n} plus {n}? ", "completion": f"it is {2 * n}"} for n in range(16)]


@pytest.fixture
def tune(make_run, train, make_data):
    """``tune(model, **settings)``: the run of a training with an adapter."""

    def start(model, name="step", **settings):
        method = SFT(learning_rate=1e-2, batch_size=8, max_steps=2, lora=Lora(r=4), **settings)
        run = make_run(RunConfig(method=method), [ptx_sft], name)
        return run, train(run, model, make_data("answers", ROWS))

    return start


def merges(run):
    return [event for event in read_rows(run.events) if event["event"] == "merge"]


def test_in_float32_the_merged_model_is_the_model_with_its_adapter(tune, plain_model):
    run, _ = tune(plain_model)
    (found,) = merges(run)
    assert found["kl"] < 1e-9
    assert found["flips"] == 0
    assert found["against"] == "the model with its adapter"


def test_products_in_bfloat16_end_with_the_training_and_are_not_taken_for_the_merge(tune, plain_model):
    run, _ = tune(plain_model, speed=Speed(bf16=True))
    (found,) = merges(run)
    assert found["kl"] < 1e-9


def test_what_rounding_to_bfloat16_did_is_measured_on_the_saved_weights(tune, plain_model, tmp_path):
    network = load_model(plain_model).to(torch.bfloat16)
    save_model(network, load_tokenizer(plain_model), tmp_path / "narrow")
    run, _ = tune(tmp_path / "narrow")  # trained in float32
    (found,) = merges(run)
    assert found["kl"] > 1e-8
    assert found["compared_tokens"] > 100
    assert any("merged, against the model with its adapter: KL" in line for line in run.console.lines)


def test_an_adapter_that_is_kept_beside_its_base_is_not_merged(make_run, train, make_data, plain_model):
    method = SFT(batch_size=8, max_steps=1, lora=Lora(r=4, merge=False))
    run = make_run(RunConfig(method=method), [ptx_sft])
    train(run, plain_model, make_data("answers", ROWS))
    assert merges(run) == []
