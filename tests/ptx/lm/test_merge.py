"""A merged model says what the model with its adapter said."""

import pytest
import torch

from ptx.errors import StepError
from ptx.lm.load import load_model, load_tokenizer, save_model
from ptx.lm.merge import merged

IDS = torch.tensor([[1, 5, 9, 7, 3]])


@pytest.fixture
def adapted(plain_model, tmp_path):
    """``adapted(targets, tied)``: the model with a random adapter."""
    from peft import LoraConfig, get_peft_model

    def make(targets, *, tied=True):
        network = load_model(plain_model)
        assert network.lm_head.weight is network.model.embed_tokens.weight
        if not tied:
            network.config.tie_word_embeddings, network.all_tied_weights_keys = False, {}
            network.lm_head.weight = torch.nn.Parameter(torch.randn_like(network.lm_head.weight) / 10)
            network.save_pretrained(tmp_path / "untied")
            load_tokenizer(plain_model).save_pretrained(tmp_path / "untied")
            network = load_model(tmp_path / "untied")
        torch.manual_seed(1)
        return get_peft_model(
            network, LoraConfig(r=4, target_modules=targets, init_lora_weights=False)
        ).eval()

    return make


def test_a_model_without_an_adapter_is_returned_as_it_is(plain_model):
    network = load_model(plain_model)
    assert merged(network) is network


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize(
    "targets", ["all-linear", ["lm_head"], ["embed_tokens"], ["lm_head", "embed_tokens", "q_proj"]], ids=str
)
def test_the_merged_model_is_the_model_with_its_adapter_also_when_it_is_read_again(
    adapted, plain_model, tmp_path, targets, tied
):
    network = adapted(targets, tied=tied)
    with torch.no_grad():
        before = network(IDS).logits
        whole = merged(network)
        assert torch.allclose(whole(IDS).logits, before, atol=1e-4)
        save_model(whole, load_tokenizer(plain_model), tmp_path / "made")
        again = load_model(tmp_path / "made")
        assert torch.allclose(again(IDS).logits, before, atol=1e-4)
    assert again.config.tie_word_embeddings == (tied and targets == "all-linear")


def test_a_merge_that_changes_the_predictions_is_refused(adapted, monkeypatch):
    monkeypatch.setattr("ptx.lm.merge.untie", lambda _: None)
    with pytest.raises(StepError, match="the merged model is not the model with its adapter: they differ by"):
        merged(adapted(["lm_head", "embed_tokens"]))


def test_an_adapter_that_is_no_change_of_weights_cannot_be_merged(plain_model):
    from peft import PromptTuningConfig, get_peft_model

    network = get_peft_model(
        load_model(plain_model), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    )
    with pytest.raises(StepError, match="an adapter of the kind PROMPT_TUNING cannot be merged"):
        merged(network)


def test_base_and_update_are_added_in_float32_and_rounded_once(adapted):
    network = adapted(["q_proj", "down_proj"]).to(torch.bfloat16)
    wanted = {}
    for name, module in network.named_modules():
        if hasattr(module, "lora_A"):
            up, down = (part["default"].weight.float() for part in (module.lora_B, module.lora_A))
            whole = module.base_layer.weight.float() + module.scaling["default"] * (up @ down)
            wanted[name.removeprefix("base_model.model.")] = whole.to(torch.bfloat16)
    made = merged(network, "nearest")
    found = {name: made.get_submodule(name).weight for name in wanted}
    assert len(wanted) == 4
    assert all(torch.equal(found[name], weight) for name, weight in wanted.items())
    assert {weight.dtype for weight in made.parameters()} == {torch.bfloat16}
