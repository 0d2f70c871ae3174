"""Classifiers on the trunk of a language model: the trunk stays, the seed decides the head."""

from dataclasses import dataclass

import pytest
import torch

from ptx import ModelRef, RunConfig, StepError
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.training.classifier import classifier_from, make_reward_trainer, run_reward_trainer
from ptx.lm.training.method import TrlMethod
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.trl_args import trl_config

SCORE, TOKENS = "AutoModelForSequenceClassification", "AutoModelForTokenClassification"
PAIRS = [{"prompt": f"{n}? ", "chosen": f"{n} it is", "rejected": "no" + "!" * (n % 3)} for n in range(8)]


@dataclass
class Own(TrlMethod):
    """A reward method of a stranger."""

    makes = "reward"
    needs = ("pairs",)


def run_of(make_run, name, seed=0, **settings):
    quick = {"learning_rate": 1e-3, "batch_size": 4, "max_steps": 2, "warmup": 0.0, **settings}
    return make_run(RunConfig(method=Own(**quick)), [], name, seed)


@pytest.mark.parametrize(("kind", "labels"), [(SCORE, 1), (TOKENS, 2)])
def test_the_trunk_is_that_of_the_model_and_the_seed_decides_the_head(make_run, chat_model, kind, labels):
    made = []
    for number, seed in enumerate((0, 0, 1)):
        run = run_of(make_run, f"run-{number}", seed)
        torch.rand(number)  # what was drawn before changes nothing
        made.append(classifier_from(run, run.config.method, ModelRef.of(chat_model), kind, labels))
    trunk = load_model(chat_model).base_model.state_dict()
    for one in made:
        assert one.config.num_labels == labels
        assert all(torch.equal(value, trunk[name]) for name, value in one.base_model.state_dict().items())
    heads = [one.score.weight for one in made]
    assert heads[0].shape == (labels, made[0].config.hidden_size)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_an_architecture_without_such_a_classifier_is_named(make_run, chat_model, monkeypatch):
    run = run_of(make_run, "run")
    monkeypatch.setattr(f"transformers.{SCORE}._model_mapping", {})
    with pytest.raises(StepError, match="transformers has no sequence classifier for LlamaForCausalLM"):
        classifier_from(run, run.config.method, ModelRef.of(chat_model), SCORE, 1)


def test_a_subclass_with_another_loss_is_trained_and_written_with_its_padding(make_run, chat_model):
    from trl import RewardTrainer

    class Doubled(RewardTrainer):
        def compute_loss(self, *given, **named):
            return 2 * super().compute_loss(*given, **named)

    losses = {}
    for kind in ("RewardTrainer", Doubled):
        run = run_of(make_run, str(kind)[-8:-2])
        method, tokenizer = run.config.method, load_tokenizer(chat_model)
        args = trl_config(run, method, "RewardConfig", max_length=64)
        rows = trl_rows("pairs", PAIRS, tokenizer)
        trainer = make_reward_trainer(run, kind, method, ModelRef.of(chat_model), tokenizer, rows, args)
        made = run_reward_trainer(run, trainer, method, ModelRef.of(chat_model))
        losses[kind] = next(one["loss"] for one in run.console.progressed if "loss" in one)
        assert (made.path / "config.json").is_file()
        from transformers import AutoModelForSequenceClassification

        saved = AutoModelForSequenceClassification.from_pretrained(made.path).config
        assert (saved.num_labels, saved.pad_token_id) == (1, tokenizer.pad_token_id)
    assert losses[Doubled] == pytest.approx(2 * losses["RewardTrainer"], rel=1e-5)
