"""DPO: TRL's losses, its reference, adapters, resuming, and rows that are cut."""

import math
import shutil

import pytest

import ptx_dpo
from ptx import Lora, RunConfig, StepError
from ptx.config import Speed
from ptx.lm.load import load_model
from ptx_dpo import DPO

PAIRS = [
    {
        "prompt": f"what is {n} plus {n}? ",
        "chosen": f"it is {2 * n}",
        "rejected": "who knows?",
        "skill": "sum",
    }
    for n in range(24)
]
TURNS = [
    {
        "prompt": [{"role": "user", "content": row["prompt"]}],
        "chosen": [{"role": "assistant", "content": row["chosen"]}],
        "rejected": [{"role": "assistant", "content": row["rejected"]}],
    }
    for row in PAIRS
]
QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 4, "warmup": 0.0}
SAME = {"learning_rate": 1e-3, "per_device_train_batch_size": 8, "max_steps": 4}


@pytest.fixture
def dpo(make_run, train):
    def start(model, data, name="step", seed=0, **settings):
        run = make_run(RunConfig(method=DPO(**{**QUICK, **settings})), [ptx_dpo], name, seed)
        return run, train(run, model, data)

    return start


def test_losses_are_those_of_plain_trl_and_begin_at_log_2(dpo, make_data, chat_model, trl_losses, losses_of):
    run, _ = dpo(chat_model, make_data("pairs", PAIRS), seed=3, beta=0.3, micro_batch=4)
    expected = trl_losses(
        "DPO",
        chat_model,
        TURNS,
        seed=3,
        beta=0.3,
        **{**SAME, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2},
    )
    assert len(expected) == 4
    assert losses_of(run) == pytest.approx(expected, rel=1e-5)
    assert losses_of(run)[0] == pytest.approx(math.log(2), rel=1e-5)


def test_without_a_template_losses_are_those_of_plain_trl_on_text(
    dpo, make_data, plain_model, trl_losses, losses_of
):
    run, _ = dpo(plain_model, make_data("pairs", PAIRS), loss="ipo")
    assert losses_of(run) == pytest.approx(
        trl_losses("DPO", plain_model, PAIRS, seed=0, loss_type="ipo", **SAME), rel=1e-5
    )


def test_with_adapters_the_reference_is_the_model_without_them(dpo, make_data, chat_model, losses_of):
    run, result = dpo(chat_model, make_data("pairs", PAIRS), lora=Lora(r=4), learning_rate=1e-2, max_steps=8)
    assert losses_of(run)[0] == pytest.approx(math.log(2), rel=1e-5)
    assert losses_of(run)[-1] < 0.6
    assert result.kind == "full"


def test_an_adapter_folder_is_trained_on_from_what_it_computes(dpo, make_data, chat_model, losses_of):
    data = make_data("pairs", PAIRS)
    _, adapter = dpo(chat_model, data, "first", lora=Lora(r=4, merge=False), learning_rate=1e-2)
    run, result = dpo(adapter.path, data, "second")
    assert losses_of(run)[0] == pytest.approx(math.log(2), rel=1e-5)
    assert result.kind == "full"
    before, after = load_model(adapter).merge_and_unload(), load_model(result)
    weight = "model.layers.0.mlp.up_proj.weight"
    change = (before.get_parameter(weight) - after.get_parameter(weight)).abs().max()
    assert 0 < change < 0.02


def test_a_training_that_was_stopped_keeps_its_first_reference(
    dpo, make_run, train, make_data, chat_model, losses_of
):
    data = make_data("pairs", PAIRS)
    whole, result = dpo(chat_model, data, "whole", max_steps=5, checkpoint_every=3)
    shorter = make_run(
        RunConfig(method=DPO(**{**QUICK, "max_steps": 5, "checkpoint_every": 3})), [ptx_dpo], "broken"
    )

    def stop_at_four(metrics, step, total=None):
        if step == 4:
            raise KeyboardInterrupt

    object.__setattr__(shorter, "log", stop_at_four)
    with pytest.raises(KeyboardInterrupt):
        train(shorter, chat_model, data)
    resumed = make_run(shorter.config, [ptx_dpo], "broken")
    assert train(resumed, chat_model, data).digest == result.digest
    assert losses_of(resumed) == losses_of(whole)[3:]


def test_prompts_that_fill_the_context_are_counted_and_stop_the_run_when_they_are_most(
    dpo, make_data, chat_model
):
    def rows(long: int):
        return [{**row, "prompt": row["prompt"] * (5 if n < long else 1)} for n, row in enumerate(PAIRS)]

    run, _ = dpo(chat_model, make_data("few", rows(4)), max_length=48, max_steps=1)
    assert (
        "step: 4 of 24 rows are left out: their prompts alone have 48 tokens or more (method.max_length)"
        in run.console.lines
    )
    for long in (20, 24):
        with pytest.raises(StepError, match=f"{long} of 24 rows have prompts of 48 tokens or more"):
            dpo(chat_model, make_data("most", rows(long)), max_length=48)


def test_answers_that_are_cut_are_counted(dpo, make_data, chat_model):
    rows = [{**row, "chosen": row["chosen"] * (20 if n < 5 else 1)} for n, row in enumerate(PAIRS)]
    run, _ = dpo(chat_model, make_data("pairs", rows), max_length=64, max_steps=1)
    assert (
        "step: 5 of 24 rows are cut to 64 tokens and lose the end of an answer (method.max_length)"
        in run.console.lines
    )


def test_a_gradient_that_is_zero_from_the_start_stops_the_run(dpo, make_data, chat_model):
    rows = [{**row, "rejected": row["chosen"]} for row in PAIRS]
    with pytest.raises(StepError, match="the gradient has been zero for 4 steps"):
        dpo(chat_model, make_data("pairs", rows))


def test_a_prompt_that_begins_twice_stops_the_run(dpo, make_data, chat_model, tmp_path):
    model = tmp_path / "twice"
    shutil.copytree(chat_model, model)
    (model / "chat_template.jinja").write_text(
        "{{- bos_token }}" + (model / "chat_template.jinja").read_text()
    )
    with pytest.raises(StepError, match=r"24 prompts begin with '<\|bos\|>' twice"):
        dpo(model, make_data("pairs", PAIRS))


def test_a_likelihood_over_tokens_does_not_depend_on_the_size_of_a_pass(dpo, make_data, chat_model):
    import torch

    rows = [
        {**row, "chosen": row["chosen"] + " and that is all" * (n % 4)} for n, row in enumerate(PAIRS[:8])
    ]
    given = {"loss": "sft", "max_steps": 1, "learning_rate": 1.0, "scheduler": "constant"}
    given["args"] = {"optim": "sgd", "max_grad_norm": 0.0}

    def weights(folder):
        return torch.cat([one.detach().flatten().double() for one in load_model(folder).parameters()])

    def update(micro):
        _, made = dpo(chat_model, make_data("pairs", rows), f"by-{micro}", micro_batch=micro, **given)
        return weights(made.path) - weights(chat_model)

    whole, parts = update(8), update(2)
    assert (whole - parts).norm() / whole.norm() < 1e-5


def test_in_bfloat16_policy_and_reference_still_agree_before_the_first_step(
    dpo, make_data, chat_model, losses_of
):
    run, _ = dpo(chat_model, make_data("pairs", PAIRS), "narrow", speed=Speed(bf16=True))
    wide, _ = dpo(chat_model, make_data("pairs", PAIRS), "wide", speed=Speed(bf16=False))
    assert losses_of(run)[0] == pytest.approx(math.log(2), abs=1e-3)
    assert losses_of(run) == pytest.approx(losses_of(wide), abs=0.02)
