from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest
import torch

from ptx import Lora, ModelRef, RunConfig, StepError
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.training.method import TrlMethod
from ptx.lm.training.trainer import (
    context_of,
    length_of,
    load_policy,
    load_reference,
    peft_config,
    result_dtype,
    run_trainer,
    say_repeats,
    stop_at_turn_end,
)


@pytest.fixture
def model(chat_model, tmp_path):
    """``model(max_position_embeddings=64)``: a copy of the model with another config."""

    def make(**config):
        folder = tmp_path / "model"
        shutil.copytree(chat_model, folder, dirs_exist_ok=True)
        old = json.loads((chat_model / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(old | config))
        return folder

    return make


def test_the_length_is_the_methods_else_1024_or_the_context(model):
    assert length_of(SimpleNamespace(max_length=300), model(max_position_embeddings=64)) == 300
    assert length_of(SimpleNamespace(max_length=None), model(max_position_embeddings=64)) == 64
    assert length_of(SimpleNamespace(max_length=None), model(max_position_embeddings=4096)) == 1024
    assert length_of(SimpleNamespace(max_length=None), model(max_position_embeddings=None)) == 1024


def test_the_context_of_an_adapter_is_that_of_its_base(model, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    base = model(max_position_embeddings=64)
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    (adapter / "adapter_model.safetensors").touch()
    assert context_of(adapter) == 64


def test_the_result_has_the_dtype_of_the_original_unless_the_method_names_one(chat_model):
    model = ModelRef(chat_model)
    assert result_dtype(TrlMethod(), model) == torch.float32
    assert result_dtype(TrlMethod(dtype="bfloat16"), model) == torch.bfloat16


def test_a_lora_becomes_a_peft_config_with_its_targets():
    assert peft_config(None) is None
    assert peft_config(Lora(r=4, targets=["all-linear"])).target_modules == "all-linear"
    made = peft_config(Lora(r=4, alpha=8, targets=["q_proj", "v_proj"]))
    assert made.target_modules == {"q_proj", "v_proj"}
    assert (made.r, made.lora_alpha, made.task_type) == (4, 8, "CAUSAL_LM")


def test_an_adapter_is_trained_further_as_full_weights_of_its_result(make_run, chat_model, tmp_path):
    from peft import LoraConfig, get_peft_model

    from ptx.lm.load import load_tokenizer, save_adapter

    lora = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    adapted = get_peft_model(load_model(chat_model), lora)
    save_adapter(adapted, load_tokenizer(chat_model), tmp_path / "adapter", ModelRef.of(chat_model))
    policy = load_policy(make_run(), TrlMethod(), ModelRef.of(tmp_path / "adapter", "adapter"))
    assert all(weight.requires_grad for weight in policy.parameters())
    ids = torch.tensor([[1, 40, 41]])
    with torch.no_grad():
        assert torch.allclose(policy(ids).logits, adapted.eval()(ids).logits, atol=1e-5)
        assert not torch.allclose(policy(ids).logits, load_model(chat_model)(ids).logits, atol=1e-3)


def test_only_full_training_needs_a_second_copy_as_reference(make_run, chat_model):
    run, model = make_run(), ModelRef(chat_model)
    assert load_reference(run, TrlMethod(lora=Lora(r=4)), model) is None
    assert load_reference(run, TrlMethod(), model) is not None


def test_a_full_gpu_is_an_error_that_says_what_needs_less_memory(make_run, chat_model):
    class Full:
        def __init__(self):
            self.accelerator, self.model, self.args = self, load_model(chat_model), SimpleNamespace()

        def remove_callback(self, _):
            pass

        add_callback = remove_callback

        def unwrap_model(self, model):
            return model

    def fail(_name, **_):
        raise torch.OutOfMemoryError

    run = make_run()
    object.__setattr__(run, "host", SimpleNamespace(first=fail))
    with pytest.raises(StepError, match=r"machine's memory is full; try method\.micro_batch=4, lora=lora"):
        run_trainer(run, Full(), TrlMethod(batch_size=16, micro_batch=8), ModelRef(chat_model))


def test_answers_of_a_base_model_stop_where_its_chat_template_ends_a_turn(make_run, chat_model, tmp_path):
    """As Qwen 2.5's base models: a template, and a generation config that knows the end of a text only."""
    folder = tmp_path / "base"
    shutil.copytree(chat_model, folder)
    described = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(described | {"eos_token_id": 0}))
    run, policy = make_run(), load_model(folder)
    end = load_tokenizer(folder).eos_token_id
    stop_at_turn_end(run, policy, folder)
    stop_at_turn_end(run, policy, folder)
    assert policy.generation_config.eos_token_id == [end, 0]
    assert len(run.console.lines) == 1
    assert "the chat template ends a turn with '<|end|>', and generation did not stop" in run.console.lines[0]


def test_few_rows_that_are_learnt_many_times_over_are_told(make_run):
    run = make_run(RunConfig())
    say_repeats(run, TrlMethod(max_steps=60, batch_size=16), 103)
    (line,) = run.console.lines
    assert "each of the 103 rows is learnt 9 times over" in line
    assert line.endswith("method.max_steps=19 is three times")
    say_repeats(run, TrlMethod(max_steps=60, batch_size=16), 400)
    say_repeats(run, TrlMethod(epochs=20), 4)
    assert len(run.console.lines) == 1
