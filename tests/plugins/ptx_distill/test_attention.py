"""Attention transfer: other widths, other heads, grouped keys and values."""

import pytest
import torch
from safetensors.torch import load_file

from ptx import Lora, StepError
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx_distill import Distill


@pytest.mark.parametrize(
    "more", [{}, {"micro_batch": 2}, {"lora": Lora(r=4)}, {"relation_heads": 4}], ids=str
)
def test_attention_alone_is_learnt_from_a_teacher_of_other_width_and_heads(teach, losses_of, more):
    run, _ = teach(Distill, max_steps=30, learning_rate=1e-2, logits_weight=0, attention_weight=1.0, **more)
    assert losses_of(run)[-1] < 0.8 * losses_of(run)[0]


def test_grouped_keys_and_values_are_compared_too(teach, chat_model, tmp_path):
    """The student has one head of keys and values, the teacher two."""
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
