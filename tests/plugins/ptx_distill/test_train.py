"""Distillation on given texts: SFT where the teacher has no weight, resuming, pruned students."""

import pytest
import torch

import ptx_sft
from ptx import Lora, RunConfig
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.lm.training.keep_zeros import zero_masks
from ptx_distill import Distill
from ptx_sft import SFT


@pytest.mark.parametrize("more", [{}, {"micro_batch": 2, "seed": 3}, {"lora": Lora(r=4)}], ids=str)
def test_on_the_data_alone_the_losses_are_those_of_sft(
    messages, teach, make_run, train, make_data, chat_model, losses_of, more
):
    more = dict(more)
    seed = more.pop("seed", 0)
    run, _ = teach(Distill, logits_weight=0, data_weight=1, seed=seed, **more)
    plain = make_run(
        RunConfig(
            method=SFT(**{"learning_rate": 3e-3, "batch_size": 8, "max_steps": 3, "warmup": 0.0, **more})
        ),
        [ptx_sft],
        "sft",
        seed,
    )
    train(plain, chat_model, make_data("messages", messages))
    assert len(losses_of(run)) == 3
    assert losses_of(run) == pytest.approx(losses_of(plain), rel=1e-4)


@pytest.mark.parametrize("weights", [{}, {"features_weight": 1.0, "attention_weight": 1.0}], ids=str)
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(teach, losses_of, weights):
    def stop_at_four(metrics, step, total=None):
        if step == 4:
            raise KeyboardInterrupt

    settings = {"max_steps": 5, "checkpoint_every": 3, "layers": 1, **weights}
    whole, result = teach(Distill, "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        teach(Distill, "broken", stop=stop_at_four, **settings)
    resumed, again = teach(Distill, "broken", **settings)
    assert again.digest == result.digest
    assert losses_of(resumed) == losses_of(whole)[3:]


def test_a_pruned_student_stays_pruned(teach, chat_model, tmp_path):
    network = load_model(chat_model)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "proj" in name:
                weight[:, ::2] = 0
    save_model(network, load_tokenizer(chat_model), tmp_path / "pruned")
    _, result = teach(Distill, model=tmp_path / "pruned", teacher=chat_model)
    before, after = zero_masks(network), zero_masks(load_model(result.path))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
