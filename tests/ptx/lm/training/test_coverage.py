from types import SimpleNamespace

from ptx.lm.load import load_model
from ptx.lm.training.coverage import adaptable_modules, say_coverage, state_space_problems
from tests.architectures import build


def said(network):
    lines = []
    say_coverage(SimpleNamespace(say=lines.append), network)
    return lines


def test_it_is_said_that_experts_get_no_adapter_and_how_much_that_is(tmp_path):
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM")
    network = load_model(build("mixtral", tmp_path / "mixtral"))
    assert said(network) == []
    (line,) = said(get_peft_model(network, lora))
    assert line.startswith("the adapters are on 12 of 18 weight matrices (11% of their weights); 6 stacks of")


def test_nothing_is_said_of_a_model_without_experts(tmp_path):
    from peft import LoraConfig, get_peft_model

    network = load_model(build("llama", tmp_path / "llama"))
    assert said(get_peft_model(network, LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM"))) == []


def test_layers_of_a_state_space_model_that_cannot_have_an_adapter_are_refused_before_the_run(tmp_path):
    mamba = build("mamba", tmp_path / "mamba")
    for targets in (["all-linear"], ["out_proj"], ["in_proj", "dt_proj"]):
        (problem,) = state_space_problems(targets, mamba)
        assert "type method.lora.targets=[in_proj,x_proj]" in str(problem)
    assert state_space_problems(["in_proj", "x_proj"], mamba) == []
    assert state_space_problems(["all-linear"], build("llama", tmp_path / "llama")) == []


def test_the_modules_for_adapters_are_named_as_the_loaded_model_names_them(tmp_path):
    found = adaptable_modules(build("mixtral", tmp_path / "mixtral"))
    assert {"q_proj", "o_proj", "lm_head"} <= set(found)
    assert not {"w1", "w2", "w3"} & set(found), "names in the files, which no loaded module has"
    assert "gate_proj" in adaptable_modules(build("llama", tmp_path / "llama"))
