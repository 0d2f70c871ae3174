"""The losses in training: their sum, their parts, micro batches, and the reference pass."""

import math

import pytest

from ptx.config import Exact
from ptx.files import read_json
from ptx.store.store import Store
from tests.plugins.ptx_mix.conftest import MESSAGES, SAFETY, chat


def shown(run, name):
    return [numbers[name] for numbers in run.console.progressed if name in numbers]


def test_the_loss_is_the_weighted_sum_of_the_three(mix, losses_of):
    run, result = mix(lambda_pref=0.5, lambda_safe=0.25)
    parts = zip(*(shown(run, f"{name}_loss") for name in ("sft", "pref", "safety")), strict=True)
    assert losses_of(run) == pytest.approx(
        [sft + 0.5 * pref + 0.25 * safety for sft, pref, safety in parts], rel=1e-5
    )
    assert result.kind == "full"


def test_the_parts_of_the_first_step_are_those_of_plain_trl(mix, trl_losses, chat_model):
    run, _ = mix(max_steps=1)
    asked = [chat(row["prompt"], row["reference"]) for row in SAFETY]
    same = {"per_device_train_batch_size": 8, "max_steps": 1, "assistant_only_loss": True, "seed": 0}
    assert shown(run, "sft_loss") == pytest.approx(trl_losses("SFT", chat_model, MESSAGES, **same), rel=1e-5)
    assert shown(run, "safety_loss") == pytest.approx(
        trl_losses("SFT", chat_model, asked, **same), rel=1e-5
    )  # all 8 rows, in any order
    assert shown(run, "pref_loss") == pytest.approx([math.log(2)], rel=1e-5)


def test_micro_batches_give_the_same_preference_and_sft_losses(mix):
    whole, _ = mix("whole", lambda_safe=0)
    parts, _ = mix("parts", lambda_safe=0, micro_batch=2)
    for name in ("sft_loss", "pref_loss"):
        assert shown(parts, name) == pytest.approx(shown(whole, name), rel=1e-4)


def test_a_sweep_over_the_weights_makes_one_reference_pass(mix, tmp_path):
    store = Store(tmp_path / "store")
    for number, weight in enumerate((0.1, 0.5, 1.0)):
        mix(f"run-{number}", store=store, lambda_pref=weight, max_steps=1, seed=number)
    assert [entry.ingredients["choice"] for entry in store.entries()] == ["reference"]


def test_few_steps_score_the_pairs_that_they_draw(mix, losses_of, monkeypatch, tmp_path):
    few = {"batch_size": 2, "max_steps": 1, "lambda_pref": 1.0, "speed": Exact()}
    scored, store = [], Store(tmp_path / "few-store")
    for name, share in (("few", 0.25), ("all", 0.0)):
        monkeypatch.setattr("ptx.lm.training.reference.SHARED", share)
        scored.append(losses_of(mix(name, store=store, **few)[0]))
    assert scored[0] == scored[1]
    sizes = [len(read_json(entry.payload / "values.json")) for entry in store.entries()]
    assert sorted(sizes) == [4, 24]  # both answers of two pairs, and of twelve


def test_the_safety_loss_does_not_depend_on_the_size_of_a_pass(mix):
    import torch

    from ptx.lm.load import load_model

    given = {"max_steps": 1, "learning_rate": 1.0, "scheduler": "constant", "lambda_pref": 0}
    given["args"] = {"optim": "sgd", "max_grad_norm": 0.0}

    def weights(micro):
        _, made = mix(f"by-{micro}", micro_batch=micro, **given)
        return torch.cat([one.detach().flatten().double() for one in load_model(made.path).parameters()])

    whole, parts = weights(8), weights(2)
    assert (whole - parts).abs().max() < 1e-5


def test_another_reference_changes_the_preference_loss_alone(mix, chat_model, tmp_path):
    import torch

    from ptx import ModelRef
    from ptx.lm.load import load_model, load_tokenizer, save_model

    moved = load_model(chat_model)
    with torch.no_grad():
        moved.model.norm.weight.mul_(1.3)
    save_model(moved, load_tokenizer(chat_model), tmp_path / "moved")
    given = {"max_steps": 1, "reference": "start"}
    own, _ = mix("own", models={"reference": ModelRef.of(chat_model)}, **given)
    other, _ = mix("other", models={"reference": ModelRef.of(tmp_path / "moved")}, **given)
    assert shown(own, "pref_loss") == pytest.approx([math.log(2)], rel=1e-5)
    assert abs(shown(other, "pref_loss")[0] - math.log(2)) > 1e-3
    assert shown(other, "sft_loss") == shown(own, "sft_loss")
