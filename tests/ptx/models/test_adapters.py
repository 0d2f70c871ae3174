"""Adapter folders as ptx, peft and others write them, and what a base is called in them."""

import json
import shlex
import shutil
import subprocess

import pytest

from ptx.errors import ConfigError, StepError
from ptx.files import folder_digest
from ptx.models.adapters import adapter_problems, base_of, prepare, weights_of
from ptx.models.inspection import inspect, problems, weight_files
from tests.ptx.models import public


@pytest.fixture
def base(tmp_path):
    return public.write(tmp_path / "base model", "Qwen2.5-0.5B-Instruct")


@pytest.fixture
def adapter(tmp_path):
    """``adapter("./base")``: an adapter folder with this name of its base, as peft writes it."""

    def make(name, folder="adapter", **config):
        made = tmp_path / folder
        made.mkdir()
        described = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": name, **config}
        (made / "adapter_config.json").write_text(json.dumps(described))
        public.weights(
            made / "adapter_model.safetensors", {"base_model.model.lora_A.weight": ("F32", [2, 2])}
        )
        return made

    return make


def nowhere(name):
    raise ConfigError(f"{name} was asked for")


@pytest.mark.parametrize("name", ["{base}", "../base model", "base model"])
def test_a_base_is_found_as_a_path_from_here_from_the_adapter_and_beside_it(tmp_path, base, adapter, name):
    made = prepare(adapter(name.format(base=base)), tmp_path / "cache", nowhere)
    assert base_of(made) == base.resolve()
    assert weights_of(made) == base.resolve()
    assert problems(made) == []
    facts = inspect(made)
    assert (facts.architecture, facts.max_positions) == ("Qwen2ForCausalLM", 32768)
    assert facts.has_chat_template
    assert facts.weight_files == ("model.safetensors",)
    assert weight_files(made) == [base.resolve() / "model.safetensors"]
    assert not (made / "model.safetensors").exists()


@pytest.mark.parametrize(("first", "second"), [(".", "."), ("../b", "../a"), ("../b", "../gone")])
def test_an_adapter_whose_bases_lead_back_or_nowhere_is_refused(
    tmp_path, adapter, monkeypatch, first, second
):
    made = adapter(first, "a")
    adapter(second, "b")
    monkeypatch.chdir(made)
    with pytest.raises(ConfigError, match=r"lead back to|does not exist"):
        prepare(made, tmp_path / "cache", nowhere)


def test_a_base_on_the_hub_is_asked_for_by_its_id(tmp_path, base, adapter):
    asked = []
    made = prepare(
        adapter("Qwen/Qwen2.5-0.5B-Instruct"), tmp_path / "cache", lambda name: asked.append(name) or base
    )
    assert asked == ["Qwen/Qwen2.5-0.5B-Instruct"]
    assert base_of(made) == base.resolve()


@pytest.mark.parametrize("name", ["./gone", "/gone/base", "", "org/gone"])
def test_a_base_that_is_nowhere_is_named(tmp_path, adapter, name):
    with pytest.raises(
        ConfigError, match="which is not on this machine; restore it, or correct base_model_name"
    ):
        prepare(adapter(name), tmp_path / "cache", nowhere)


def test_the_tokenizer_of_the_adapter_comes_before_that_of_its_base(tmp_path, base, adapter):
    given = adapter(str(base))
    shutil.copy(base / "tokenizer.json", given)
    (given / "tokenizer_config.json").write_text('{"eos_token": "<|endoftext|>", "chat_template": "x"}')
    made = prepare(given, tmp_path / "cache", nowhere)
    assert json.loads((made / "tokenizer_config.json").read_text())["chat_template"] == "x"


def test_an_adapter_is_prepared_once_and_again_when_it_or_its_base_has_changed(tmp_path, base, adapter):
    given = adapter(str(base))
    first = prepare(given, tmp_path / "cache", nowhere)
    assert prepare(given, tmp_path / "cache", nowhere) == first
    (base / "config.json").write_text((base / "config.json").read_text() + " ")
    with pytest.raises(StepError, match="was trained on other weights than"):
        base_of(first)
    assert prepare(given, tmp_path / "cache", nowhere) != first


def test_a_base_with_other_weights_than_ptx_recorded_is_refused(tmp_path, base, adapter):
    given = adapter(str(base))
    record = {"path": str(base), "digest": folder_digest(base)}
    (given / "ptx_base.json").write_text(json.dumps(record))
    assert base_of(prepare(given, tmp_path / "cache", nowhere)) == base
    (base / "generation_config.json").unlink()
    with pytest.raises(ConfigError, match="was trained on other weights than"):
        prepare(given, tmp_path / "cache", nowhere)


def test_whole_weights_with_a_left_over_adapter_are_refused_and_the_command_parts_them(
    tmp_path, base, adapter
):
    mixed = adapter("Qwen/Qwen2.5-0.5B-Instruct", "my mixture")
    for file in base.iterdir():
        shutil.copy(file, mixed)
    (problem,) = problems(mixed)
    assert "holds the weights of a whole model (model.safetensors) and an adapter" in problem.what
    command = problem.fix.partition("type: ")[2]
    subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path)
    assert problems(mixed) == []
    assert sorted(file.name for file in (tmp_path / "my mixture-adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert shlex.split(command)[0] == "mkdir"


def test_what_is_no_adapter_of_a_language_model_is_refused(adapter):
    assert "is made for SEQ_CLS" in str(adapter_problems(adapter("./base", "one", task_type="SEQ_CLS"))[0])
    pickled = adapter("./base", "two")
    (pickled / "adapter_model.safetensors").rename(pickled / "adapter_model.bin")
    assert "only a pickle, which can run code; save it again with peft" in str(adapter_problems(pickled)[0])
    (pickled / "adapter_model.bin").unlink()
    assert "has no adapter_model.safetensors; save it again" in str(adapter_problems(pickled)[0])
    (pickled / "adapter_config.json").write_text("[")
    assert "adapter_config.json" in str(adapter_problems(pickled)[0])
