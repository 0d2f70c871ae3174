from types import SimpleNamespace

from ptx.lm.load import load_model
from ptx.lm.training.coverage import say_coverage
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
