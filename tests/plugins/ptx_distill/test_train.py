"""method=distill at work: SFT where the teacher has no weight, the teacher's words once for all, students of
fewer layers, resuming.
"""

import json

import pytest
import torch
from safetensors.torch import load_file

import ptx_distill.teacher
import ptx_sft
from ptx import Lora, RunConfig, StepError
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.lm.training.keep_zeros import zero_masks
from ptx.testing import check_plugin
from ptx_distill import Distill
from ptx_distill.trainer import layer_map
from ptx_sft import SFT


def shown(run, name):
    return [numbers[name] for numbers in run.console.progressed if name in numbers]


def passes(shelf):
    return [entry for entry in shelf.entries() if entry.kind == "products"]


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


EQUAL = [
    {},
    {"top_k": 4, "temperature": 3.0},
    {"top_k": 0},
    {"micro_batch": 2, "seed": 3},
    {"divergence": "jsd", "data_weight": 0.5},
    {"divergence": "reverse_kl", "lora": Lora(r=4)},
    {"assistant_only": False, "max_length": 30},
]


@pytest.mark.parametrize("settings", EQUAL, ids=str)
def test_losses_with_the_stored_teacher_are_those_of_one_that_is_asked_to_the_last_digit(
    teach, shelf, losses_of, settings
):
    stored, _ = teach(Distill, "with", **settings)
    assert [entry.ingredients["choice"] for entry in passes(shelf)] == ["teacher"]
    asked, _ = teach(Distill, "without", cache_teacher=False, **settings)
    assert len(passes(shelf)) == 1
    assert len(losses_of(stored)) == 3
    assert losses_of(stored) == losses_of(asked)


def test_all_words_one_by_one_are_the_plain_divergence(messages, teach, losses_of, chat_model, wide_teacher):
    """A slow reference: the first step's loss, text by text, from the models themselves."""
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


def test_the_teacher_is_not_loaded_a_second_time(teach, losses_of, monkeypatch):
    first, _ = teach(Distill, "first")

    def fail(*_, **__):
        raise AssertionError

    monkeypatch.setattr(ptx_distill.teacher, "load_model", fail)
    assert losses_of(teach(Distill, "second")[0]) == losses_of(first)


SAME = [
    *(
        {"temperature": 2.0},
        {"learning_rate": 1e-2},
        {"divergence": "jsd"},
        {"seed": 1},
        {"lora": Lora(r=4)},
        {"data_weight": 0.5},
    ),
    *(
        {"logits_weight": 0.3},
        {"batch_size": 4},
        {"micro_batch": 2},
        {"max_length": 200},
        {"layers": 1},
        {"dtype": "bfloat16"},
    ),
]


def test_temperature_rate_weights_loss_seed_adapter_and_student_share_one_pass(teach, shelf):
    teach(Distill, "first", max_steps=1)
    for number, settings in enumerate(SAME):
        teach(Distill, f"other-{number}", **{"batch_size": 8, **settings, "max_steps": 2})
        assert len(passes(shelf)) == 1, settings


MISSES = [
    {"top_k": 5},
    {"top_k": 0},
    {"max_length": 30},
    {"assistant_only": False},
    {"rows": "fewer"},
    {"teacher": "student"},
]


def test_whatever_changes_what_the_teacher_says_makes_another_pass(
    messages, teach, shelf, chat_model, monkeypatch
):
    teach(Distill, "first", max_steps=1)
    for number, settings in enumerate(MISSES):
        given = dict(settings)
        if "rows" in given:
            given["rows"] = messages[:-1]
        if "teacher" in given:
            given |= {"teacher": chat_model, "layers": 1}
        teach(Distill, f"other-{number}", max_steps=1, **given)
        assert len(passes(shelf)) == number + 2, settings
    monkeypatch.setattr(ptx_distill.teacher.machine, "versions", lambda names: dict.fromkeys(names, "2000.1"))
    teach(Distill, "libraries", max_steps=1)
    assert len(passes(shelf)) == len(MISSES) + 2


def test_a_short_training_on_much_data_asks_about_what_it_sees(messages, teach, shelf, losses_of):
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


@pytest.mark.parametrize(
    "more", [{}, {"micro_batch": 2}, {"lora": Lora(r=4)}, {"relation_heads": 4}], ids=str
)
def test_attention_alone_is_learnt_from_a_teacher_of_other_width_and_heads(teach, losses_of, more):
    run, _ = teach(Distill, max_steps=30, learning_rate=1e-2, logits_weight=0, attention_weight=1.0, **more)
    assert losses_of(run)[-1] < 0.8 * losses_of(run)[0]


def test_grouped_keys_and_values_are_compared_too(teach, chat_model, tmp_path):
    """A student with one head of keys and values where the teacher has two; only the attention of the last
    layers is taught.
    """
    from transformers import AutoModelForCausalLM

    config = load_model(chat_model).config
    config.update({"num_key_value_heads": 1})
    torch.manual_seed(2)
    save_model(AutoModelForCausalLM.from_config(config), load_tokenizer(chat_model), tmp_path / "grouped")
    _, result = teach(Distill, model=tmp_path / "grouped", logits_weight=0, attention_weight=1.0)
    made, came = (load_file(folder / "model.safetensors") for folder in (result.path, tmp_path / "grouped"))
    still = {name for name, weight in came.items() if torch.equal(made[name], weight)}
    assert "model.layers.1.self_attn.o_proj.weight" in still
    assert "model.layers.1.mlp.up_proj.weight" in still
    assert not {f"model.layers.1.self_attn.{part}_proj.weight" for part in "qkv"} & still


def test_relation_heads_that_do_not_divide_the_widths_are_refused_with_those_that_do(teach):
    with pytest.raises(
        StepError,
        match=(
            r"method.relation_heads=5: 5 relation heads do not divide widths of 48 and 32; 1, 2, 4, 8, 16 do"
        ),
    ):
        teach(Distill, attention_weight=1.0, relation_heads=5)


def test_projections_are_learnt_and_no_part_of_the_result(teach, chat_model):
    _, result = teach(Distill, features_weight=1.0)
    assert (
        load_file(result.path / "model.safetensors").keys()
        == load_file(chat_model / "model.safetensors").keys()
    )


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


def test_a_student_that_is_its_own_teacher_gets_half_of_the_layers(teach, chat_model):
    run, result = teach(Distill, teacher=chat_model)
    assert json.loads((result.path / "config.json").read_text())["num_hidden_layers"] == 1
    assert "step: the student keeps layers 0 of 2" in run.console.lines


def test_a_student_is_given_the_layers_that_were_named(teach, chat_model, wide_teacher):
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


def test_layers_learn_from_evenly_spaced_ones():
    assert layer_map(3, 12) == [(1, 4), (2, 8), (3, 12)]
    assert layer_map(4, 4) == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_the_plugin_keeps_the_rules_of_plugins():
    check_plugin("ptx_distill")
