"""Loading models and tokenizers from folders, and saving them."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ptx.errors import StepError
from ptx.lm import load
from ptx.records import ModelRef


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "words"
    words = ["<s>", "</s>", "a", "b", "c"]
    tokens = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="</s>"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = (
        "{%- for message in messages %}{{ message['content'] }}</s>{%- endfor %}{%- if add_generation_prompt"
        " %}b{%- endif %}"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=5, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_a_model_that_is_saved_and_loaded_is_the_same(folder, tmp_path):
    model, tokenizer = load.load_model(folder), load.load_tokenizer(folder)
    load.save_model(model, tokenizer, tmp_path / "copy")
    again = load.load_model(ModelRef.of(tmp_path / "copy"))
    assert all(
        torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True)
    )
    assert load.load_tokenizer(tmp_path / "copy").chat_template == tokenizer.chat_template
    names = {file.name for file in (tmp_path / "copy").iterdir()}
    assert {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "chat_template.jinja",
    } <= names


def test_a_loaded_model_is_not_in_training(folder):
    assert not load.load_model(folder).training


def test_a_folder_without_the_weights_of_its_config_is_refused_and_not_drawn_at_random(folder, tmp_path):
    from safetensors.torch import save_file

    incomplete = tmp_path / "incomplete"
    shutil.copytree(folder, incomplete)
    save_file(
        {"model.norm.weight": torch.ones(16)}, incomplete / "model.safetensors", metadata={"format": "pt"}
    )
    with pytest.raises(
        StepError,
        match=r"incomplete does not hold the model that its .* describes: 11 tensors are missing on disk",
    ):
        load.load_model(incomplete)


def test_a_tokenizer_without_padding_pads_with_its_end_token(folder):
    assert load.load_tokenizer(folder).pad_token == "</s>"


def test_a_tokenizer_that_has_neither_says_what_to_set(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "tokenizer_config.json").read_text())
    config.pop("eos_token")
    (copy / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(StepError, match="neither a padding nor an end-of-text token; set pad_token"):
        load.load_tokenizer(copy)


def test_dtype_is_float32_on_a_cpu_unless_asked_for(folder):
    assert load.load_model(folder).dtype == torch.float32
    assert load.load_model(folder, "bfloat16").dtype == torch.bfloat16
    assert load.dtype_of("auto", "cuda") == torch.bfloat16
    with pytest.raises(StepError, match="there is no dtype 'int4'; use auto, float32"):
        load.dtype_of("int4", "cpu")


def test_pickled_weights_are_refused(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    torch.save(load.load_model(folder).state_dict(), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    with pytest.raises(StepError, match="no model could be read"):
        load.load_model(copy)


def test_code_in_a_model_folder_is_not_run(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config |= {
        "model_type": "evil",
        "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    }
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(StepError, match="no model could be read"):
        load.load_model(copy)
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_tokenizer_or_weights_says_so(tmp_path):
    with pytest.raises(
        StepError, match=r"no tokenizer could be read from .*; a model folder needs tokenizer.json"
    ):
        load.load_tokenizer(tmp_path)
    with pytest.raises(
        StepError, match=r"no model could be read from .*; it needs config.json and \*.safetensors"
    ):
        load.load_model(tmp_path)


def test_an_adapter_comes_back_on_its_base_and_not_without_it(folder, tmp_path):
    from peft import LoraConfig, get_peft_model

    base = tmp_path / "base"
    shutil.copytree(folder, base)
    model = get_peft_model(
        load.load_model(base), LoraConfig(target_modules="all-linear", init_lora_weights=False)
    )
    load.save_adapter(model, load.load_tokenizer(base), tmp_path / "adapter", ModelRef.of(base))
    ids = torch.tensor([[0, 2, 3]])
    with torch.no_grad():
        expected = model.eval()(ids).logits
        assert torch.allclose(
            load.load_model(ModelRef.of(tmp_path / "adapter", "adapter"))(ids).logits, expected
        )
    assert load.weights_of(tmp_path / "adapter") == base
    base.rename(tmp_path / "elsewhere")
    with pytest.raises(StepError, match=r"belongs to .*base, which does not exist"):
        load.load_model(tmp_path / "adapter")


def test_render_gives_the_text_that_the_model_reads(folder):
    tokenizer = load.load_tokenizer(folder)
    turns = [{"role": "user", "content": "a"}]
    assert load.render(tokenizer, turns, add_generation_prompt=True) == "a</s>b"
    assert load.render(tokenizer, turns, add_generation_prompt=False) == "a</s>"


def test_what_the_user_set_in_the_environment_stays(monkeypatch):
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    assert load.environment()["TRANSFORMERS_VERBOSITY"] == "info"
    assert load.environment()["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_importing_the_package_and_the_plugins_loads_no_ml_library():
    heavy = "{'torch', 'transformers', 'trl', 'peft', 'datasets', 'accelerate'}"
    modules = (
        "ptx.lm, ptx.lm.load, ptx.lm.training.method, ptx.lm.training.validate, ptx_sft, ptx_dpo, ptx_kto,"
        " ptx_grpo, ptx_scorers"
    )
    code = f"import sys, {modules}; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "set()"


def test_telemetry_is_off_also_where_the_hub_was_imported_before(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    load.quiet()
    assert constants.HF_HUB_DISABLE_TELEMETRY


def test_a_model_is_opened_without_scikit_learn(monkeypatch):
    load.quiet()
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)  # an import of it would raise
    spec = importlib.util.find_spec("transformers.generation.candidate_generator")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.mark.parametrize("library", ["onnxruntime", "onnxruntime_genai"])
def test_onnx_runtime_is_imported_without_its_telemetry(tmp_path, library):
    pytest.importorskip(library)
    own = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = "from ptx.lm.load import quiet; quiet(); import " + library
    told = own | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([sys.executable, "-c", code], env=told, check=True)
    assert not (tmp_path / ".ses").exists(), "the session of its telemetry"
