from types import SimpleNamespace

import pytest
from transformers import AutoConfig
from trl.trainer.utils import add_fused_lm_head

from ptx.lm.load import load_model
from ptx.lm.training.experts import balance_if_possible, name_experts
from tests.architectures import ARCHITECTURES, build


@pytest.mark.parametrize("name", ["granitemoe", "dbrx", "mixtral", "qwen3_moe", "minimax"])
def test_a_mixture_answers_to_trl_s_names_and_is_saved_as_it_was(name):
    kind, settings = ARCHITECTURES[name]
    config = AutoConfig.for_model(kind, **settings)
    before = config.to_dict()
    name_experts(config)
    assert (config.num_experts, config.num_experts_per_tok) == (4, 2)
    assert config.to_dict() == before


def test_a_dense_model_has_no_experts():
    kind, settings = ARCHITECTURES["llama"]
    config = AutoConfig.for_model(kind, **settings)
    name_experts(config)
    assert not hasattr(config, "num_experts")


@pytest.mark.parametrize(("name", "balanced"), [("granitemoe", False), ("mixtral", True)])
def test_experts_are_balanced_where_the_model_gives_its_routing(tmp_path, name, balanced):
    network = load_model(build(name, tmp_path / name), "float32")
    name_experts(network.config)
    trainer = SimpleNamespace(model=network, aux_loss_enabled=True)
    said = []
    balance_if_possible(SimpleNamespace(say=said.append), trainer)
    assert trainer.aux_loss_enabled is balanced
    assert ["experts are not balanced" in line for line in said] == [True] * (not balanced)


@pytest.mark.parametrize("name", ["granitemoe", "dbrx"])
def test_trl_computes_the_loss_of_such_a_mixture(tmp_path, name):
    network = load_model(build(name, tmp_path / name), "float32")
    name_experts(network.config)
    ids = network.dummy_inputs["input_ids"]
    add_fused_lm_head(network)
    made = network(input_ids=ids, labels=ids, fused_lm_head=True, output_router_logits=True)
    assert 5 < float(made.loss.detach()) < 9  # the logarithm of 768 tokens is 6.6
