"""SFT: TRL's losses, resuming, adapters, and the mistakes that would train to the end."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import ptx_sft
from ptx import Lora, ModelRef, RunConfig, StepError
from ptx.config import Exact, Speed
from ptx.files import read_json, read_rows
from ptx.lm.load import load_model, load_tokenizer
from ptx_sft import SFT

CHATS = [
    {
        "messages": [
            {"role": "user", "content": f"what is {n} plus {n}?"},
            {"role": "assistant", "content": f"it is {2 * n}"},
        ],
        "skill": "sum",
    }
    for n in range(24)
]
ANSWERS = [{"prompt": f"what is {n} plus {n}? ", "completion": f"it is {2 * n}"} for n in range(24)]
TEXTS = [{"text": f"once upon a time there were {n} bears. they lived in a wood."} for n in range(24)]
QUICK = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 4, "warmup": 0.0}


@pytest.fixture
def sft(make_run, train):
    """``sft(model, data, **settings)``: the run and its result."""

    def start(model, data, name="step", seed=0, **settings):
        run = make_run(RunConfig(method=SFT(**{**QUICK, **settings})), [ptx_sft], name, seed)
        return run, train(run, model, data)

    return start


def test_losses_on_conversations_are_those_of_plain_trl(sft, make_data, chat_model, trl_losses, losses_of):
    run, _ = sft(chat_model, make_data("chats", CHATS), seed=3, micro_batch=4, scheduler="cosine")
    expected = trl_losses(
        "SFT",
        chat_model,
        [{"messages": row["messages"]} for row in CHATS],
        seed=3,
        learning_rate=1e-3,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        max_steps=4,
        lr_scheduler_type="cosine",
        assistant_only_loss=True,
    )
    assert len(expected) == 4
    assert losses_of(run) == pytest.approx(expected, rel=1e-5)


def test_losses_with_adapters_are_those_of_plain_trl(sft, make_data, chat_model, trl_losses, losses_of):
    from peft import LoraConfig

    run, _ = sft(chat_model, make_data("chats", CHATS), lora=Lora(r=4, alpha=8))
    lora = LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    expected = trl_losses(
        "SFT",
        chat_model,
        CHATS,
        lora,
        learning_rate=1e-3,
        per_device_train_batch_size=8,
        max_steps=4,
        seed=0,
        assistant_only_loss=True,
    )
    assert losses_of(run) == pytest.approx(expected, rel=1e-5)


def test_questions_are_not_trained_on_unless_asked_for(sft, make_data, chat_model, losses_of):
    data = make_data("chats", CHATS)
    alone, _ = sft(chat_model, data, "alone", max_steps=1)
    everything, _ = sft(chat_model, data, "everything", max_steps=1, assistant_only=False)
    assert losses_of(alone) != pytest.approx(losses_of(everything), rel=1e-3)


def test_prompt_and_completion_become_turns_where_there_is_a_template(sft, make_data, chat_model, losses_of):
    turns = [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ]
        }
        for row in ANSWERS
    ]
    one, _ = sft(chat_model, make_data("answers", ANSWERS), "one")
    other, _ = sft(chat_model, make_data("turns", turns), "other")
    assert losses_of(one) == pytest.approx(losses_of(other), rel=1e-5)


def test_prompt_and_completion_stay_text_where_there_is_no_template(
    sft, make_data, plain_model, trl_losses, losses_of
):
    run, _ = sft(plain_model, make_data("answers", ANSWERS))
    expected = trl_losses(
        "SFT", plain_model, ANSWERS, learning_rate=1e-3, per_device_train_batch_size=8, max_steps=4, seed=0
    )
    assert losses_of(run) == pytest.approx(expected, rel=1e-5)


def test_text_is_trained_whole_and_learns_to_stop(sft, make_data, plain_model, losses_of):
    run, result = sft(
        plain_model, make_data("texts", TEXTS), max_steps=-1, epochs=12, batch_size=12, learning_rate=3e-3
    )
    losses = losses_of(run)
    assert len(losses) == 24
    assert losses[-1] < losses[0] - 1
    assert load_tokenizer(result.path).eos_token == "<|end|>"


def test_the_result_is_a_whole_folder_in_the_number_format_that_came(sft, make_data, chat_model, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(chat_model, half)
    load_model(half).to(torch.bfloat16).save_pretrained(half)
    _, result = sft(half, make_data("chats", CHATS))
    trained = load_model(result, dtype="bfloat16")
    assert result.kind == "full"
    assert read_json(result.path / "config.json")["dtype"] == "bfloat16"
    assert abs(result.bytes - ModelRef.of(half).bytes) < 500
    assert load_tokenizer(result.path).chat_template == load_tokenizer(chat_model).chat_template
    assert not torch.equal(trained.lm_head.weight, load_model(half, dtype="bfloat16").lm_head.weight)
    assert trained.config.use_cache
    assert not list(result.path.glob("*.bin"))


def test_a_merged_adapter_computes_what_the_kept_one_does(sft, make_data, chat_model):
    data = make_data("chats", CHATS)
    _, merged = sft(chat_model, data, "merged", lora=Lora(r=4), learning_rate=1e-2)
    _, kept = sft(chat_model, data, "kept", lora=Lora(r=4, merge=False), learning_rate=1e-2)
    ids = torch.arange(20).unsqueeze(0)
    with torch.no_grad():
        one, other, before = (
            load_model(model)(ids).logits for model in (merged, kept, ModelRef.of(chat_model))
        )
    assert (merged.kind, kept.kind) == ("full", "adapter")
    assert kept.bytes < merged.bytes
    assert torch.allclose(one, other, atol=1e-4)
    assert not torch.allclose(one, before, atol=1e-2)


def test_an_adapter_says_when_its_base_has_changed(sft, make_data, chat_model, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(chat_model, base)
    _, kept = sft(base, make_data("chats", CHATS), lora=Lora(merge=False), max_steps=1)
    (base / "extra.txt").write_text("changed")
    with pytest.raises(StepError, match="trained on other weights"):
        load_model(kept)


@pytest.mark.parametrize("lora", [None, Lora(r=4)])
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(
    lora, sft, make_run, train, make_data, chat_model, losses_of
):
    data = make_data("chats", CHATS)
    settings = {"max_steps": 6, "checkpoint_every": 2, "scheduler": "cosine", "lora": lora}
    whole, result = sft(chat_model, data, "whole", **settings)
    broken = make_run(RunConfig(method=SFT(**{**QUICK, **settings})), [ptx_sft], "broken")

    def stop_at_five(metrics, step, total=None):
        if step == 5:
            raise KeyboardInterrupt

    object.__setattr__(broken, "log", stop_at_five)
    with pytest.raises(KeyboardInterrupt):
        train(broken, chat_model, data)
    torn = broken.checkpoints / "checkpoint-5"
    shutil.copytree(broken.checkpoints / "checkpoint-4", torn)
    (torn / "trainer_state.json").write_text('{"global_step": 5, "epo')
    resumed = make_run(broken.config, [ptx_sft], "broken")
    again = train(resumed, chat_model, data)
    assert "step: resuming from step 4" in resumed.console.lines
    assert any("the checkpoint of step 5 is damaged (trainer_state" in line for line in resumed.console.lines)
    assert losses_of(resumed) == losses_of(whole)[4:]
    assert again.digest == result.digest


def test_the_same_seed_gives_the_same_weights_and_another_one_does_not(sft, make_data, chat_model):
    data = make_data("chats", CHATS)
    digests = [sft(chat_model, data, f"run{index}", seed)[1].digest for index, seed in enumerate((1, 1, 2))]
    assert digests[0] == digests[1] != digests[2]


def test_progress_has_loss_learning_rate_pace_and_time_left(sft, make_data, chat_model):
    run, _ = sft(chat_model, make_data("chats", CHATS))
    first, last = run.console.progressed[0], run.console.progressed[-1]
    assert {"loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second"} <= set(first)
    assert "eta_seconds" not in first  # one step, with all that is done once, tells nothing of the others
    assert first["tokens_per_second"] > 0
    assert (first["step"], first["total"]) == (1, 4)
    assert {"mean_loss", "seconds"} <= set(last)
    assert run.console.progressed[-2]["eta_seconds"] == 0


def test_a_loss_that_is_not_finite_stops_the_run(sft, make_data, chat_model):
    with pytest.raises(
        StepError, match=r"is (nan|inf) at step \d+ with learning rate .*lower method.learning_rate"
    ):
        sft(chat_model, make_data("chats", CHATS), learning_rate=1e30, max_steps=10)


def test_cut_rows_are_counted(sft, make_data, plain_model):
    texts = [{"text": "long " * 40 if n < 6 else "short"} for n in range(24)]
    run, _ = sft(plain_model, make_data("texts", texts), max_length=64, max_steps=1)
    assert (
        "step: 6 of 24 rows are cut to 64 tokens and lose their end (method.max_length)" in run.console.lines
    )


def test_rows_whose_answers_are_cut_off_whole_stop_the_run_when_they_are_most(sft, make_data, chat_model):
    def rows(long: int):
        return [{"prompt": "why? " * (30 if n < long else 1), "completion": "so"} for n in range(24)]

    run, _ = sft(chat_model, make_data("few", rows(6)), max_length=64, max_steps=1)
    assert "step: 6 of 24 rows are left out: nothing of their answer fits into 64 tokens" in run.console.lines
    for long in (20, 24):
        with pytest.raises(
            StepError, match=f"{long} of 24 rows have no token left to train on after being cut to 64 tokens"
        ):
            sft(chat_model, make_data("most", rows(long)), max_length=64)


def test_norms_in_float32_beside_bfloat16_weights_keep_their_dtype(sft, make_data, chat_model, tmp_path):
    model = tmp_path / "mixed"
    shutil.copytree(chat_model, model)
    tensors = load_file(model / "model.safetensors")
    mixed = {name: one if "norm" in name else one.bfloat16() for name, one in tensors.items()}
    save_file(mixed, model / "model.safetensors", metadata={"format": "pt"})
    _, made = sft(model, make_data("chats", CHATS), max_steps=1)
    trained = load_file(made.path / "model.safetensors")
    assert {name: one.dtype for name, one in trained.items()} == {
        name: one.dtype for name, one in mixed.items()
    }


@pytest.mark.parametrize("mixed", [False, True])  # norms in float32, as many checkpoints have them
def test_a_small_rate_is_not_undone_by_rounding(sft, make_data, chat_model, tmp_path, mixed):
    model = tmp_path / "narrow"
    shutil.copytree(chat_model, model)
    tensors = load_file(model / "model.safetensors")
    start = {name: one if mixed and "norm" in name else one.bfloat16() for name, one in tensors.items()}
    save_file(start, model / "model.safetensors", metadata={"format": "pt"})
    settings = {"learning_rate": 1e-6, "max_steps": 2, "warmup": 0.0}
    names = [name for name, one in start.items() if one.dtype == torch.bfloat16]

    def update(name, **more):
        _, made = sft(model, make_data("chats", CHATS), name, **settings, **more)
        trained = load_file(made.path / "model.safetensors")
        if "dtype" not in more:
            assert {key: one.dtype for key, one in trained.items()} == {
                key: one.dtype for key, one in start.items()
            }
        return torch.cat([(trained[key].float() - start[key].float()).flatten() for key in names])

    learnt = update("wide", dtype="float32")
    kept = {rounding: update(rounding, rounding=rounding) for rounding in ("nearest", "stochastic")}
    share = {rounding: float(one @ learnt / (learnt @ learnt)) for rounding, one in kept.items()}
    assert share["nearest"] < 0.5
    assert share["stochastic"] == pytest.approx(1, abs=0.15)


def test_weights_that_are_not_finite_are_refused_and_the_learning_rate_is_not_blamed(
    sft, make_data, chat_model, tmp_path
):
    model = tmp_path / "broken"
    shutil.copytree(chat_model, model)
    tensors = load_file(model / "model.safetensors")
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        StepError, match=r"1 tensor is not finite \(nan or inf\): model.norm.weight"
    ) as refused:
        sft(model, make_data("chats", CHATS))
    assert "learning_rate" not in str(refused.value)


def test_an_end_token_outside_the_loss_stops_the_run(sft, make_data, chat_model, tmp_path):
    model = tmp_path / "endless"
    shutil.copytree(chat_model, model)
    template = (model / "chat_template.jinja").read_text()
    outside = template.replace(
        "message['content'] + '<|end|>' }}{% endgeneration %}",
        "message['content'] }}{% endgeneration %}{{- '<|end|>' }}",
        1,
    )
    assert outside != template
    (model / "chat_template.jinja").write_text(outside)
    with pytest.raises(StepError, match=r"no row trains the model to stop: generation ends at '<\|end\|>'"):
        sft(model, make_data("chats", CHATS))


def test_a_start_token_that_stands_twice_stops_the_run(sft, make_data, chat_model, tmp_path):
    model = tmp_path / "twice"
    shutil.copytree(chat_model, model)
    template = (model / "chat_template.jinja").read_text()
    (model / "chat_template.jinja").write_text("{{- bos_token }}" + template)
    with pytest.raises(StepError, match=r"24 of 24 rows begin with '<\|bos\|>' twice"):
        sft(model, make_data("chats", CHATS))


def test_packed_examples_do_not_see_each_other(sft, make_data, chat_model, losses_of):
    data = make_data("chats", CHATS)
    packed, _ = sft(chat_model, data, "packed", packing=True, batch_size=24, max_steps=1)
    loose, _ = sft(chat_model, data, "loose", batch_size=24, max_steps=1)
    assert losses_of(packed) == pytest.approx(losses_of(loose), rel=1e-4)


def test_an_adapter_on_an_adapter_computes_what_it_was_trained_to(sft, make_data, chat_model):
    data = make_data("chats", CHATS)
    settings = {"lora": Lora(r=4, merge=False), "learning_rate": 1e-2}
    _, first = sft(chat_model, data, "first", **settings)
    _, kept = sft(first.path, data, "kept", **settings)
    _, merged = sft(first.path, data, "merged", **{**settings, "lora": Lora(r=4)})
    ids = torch.arange(20).unsqueeze(0)
    with torch.no_grad():
        one, other, before = (load_model(model)(ids).logits for model in (merged, kept, first))
    assert torch.allclose(one, other, atol=1e-4)
    assert not torch.allclose(one, before, atol=1e-2)


def test_every_log_is_in_the_events(sft, make_data, chat_model):
    run, _ = sft(chat_model, make_data("chats", CHATS))
    logged = [event for event in read_rows(run.events) if event["event"] == "log"]
    assert [event["step"] for event in logged] == [1, 2, 3, 4, 4]
    assert all(json.dumps(event, allow_nan=False) for event in logged)


def test_short_passes_and_a_short_head_give_the_losses_of_exact_to_rounding(
    sft, make_data, chat_model, losses_of
):
    rows = [
        {"prompt": f"what is {n} plus {n}? ", "completion": f"it is {2 * n}" + "!" * (3 * n)}
        for n in range(24)
    ]
    data = make_data("ragged", rows)
    exact, _ = sft(chat_model, data, "exact", speed=Exact())
    short, _ = sft(chat_model, data, "short", speed=Speed(pass_tokens=64))
    assert losses_of(short) != losses_of(exact)  # other passes
    assert losses_of(short) == pytest.approx(losses_of(exact), rel=1e-5)


def test_products_in_bfloat16_move_the_losses_by_little(sft, make_data, chat_model, losses_of):
    data = make_data("chats", CHATS)
    wide, _ = sft(chat_model, data, "wide", speed=Speed(bf16=False))
    narrow, _ = sft(chat_model, data, "narrow", speed=Speed(bf16=True))
    assert losses_of(narrow) != losses_of(wide)
    assert losses_of(narrow)[0] == pytest.approx(losses_of(wide)[0], rel=2e-3)  # the same weights
    assert losses_of(narrow) == pytest.approx(losses_of(wide), rel=0.05)
