"""What is opened as a causal language model and is none."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from ptx import StepError
from ptx.lm.causality import foresight, refuse_foresight
from ptx.lm.load import load_model, load_tokenizer, quiet, save_model
from tests.architectures import ARCHITECTURES, HEADS, PLAIN, TOKENIZER, build

BOTH_WAYS = {
    "doge": PLAIN,
    "gemma3_text": HEADS | {"query_pre_attn_scalar": 16, "use_bidirectional_attention": True},
    "xlnet": {"vocab_size": 768, "d_model": 64, "n_layer": 2, "n_head": 4, "d_inner": 128, "dropout": 0.1},
    "rembert": PLAIN | {"input_embedding_size": 64, "output_embedding_size": 64},
}


def _network(kind, dtype=torch.float32):
    quiet()
    torch.manual_seed(1)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **BOTH_WAYS[kind]), dtype=dtype).eval()


@pytest.mark.parametrize("kind", BOTH_WAYS)
def test_a_network_that_reads_both_ways_is_found_freshly_initialised_too(kind):
    later, earlier = foresight(_network(kind))
    assert later > 0.1 * earlier > 0


@pytest.mark.parametrize("kind", ["doge", "gemma3_text"])
def test_it_is_found_in_bfloat16(kind):
    assert foresight(_network(kind, torch.bfloat16)) is not None


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_causal_architecture_passes(tmp_path, name):
    folder = build(name, tmp_path / name)
    for dtype in ("float32", "bfloat16"):
        assert foresight(AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()) is None


def test_loading_refuses_it_with_what_was_seen_and_what_to_do(tmp_path):
    save_model(_network("doge"), load_tokenizer(TOKENIZER), tmp_path / "doge")
    with pytest.raises(StepError, match=r"doge is no causal language model .*\(DogeForCausalLM\): .* nats; "):
        load_model(tmp_path / "doge")


class Stub(torch.nn.Module):
    """A network whose scores are ``of(ids)``: (B, T) -> (B, T, V)."""

    dtype, device = torch.float32, torch.device("cpu")

    def __init__(self, of):
        super().__init__()
        self.of, self.passes = of, []

    def get_input_embeddings(self):
        return torch.nn.Embedding(50, 4)

    def forward(self, input_ids):
        self.passes.append(tuple(input_ids.shape))
        return type("Output", (), {"logits": self.of(input_ids)})


def _sums(ids):
    """Scores that depend on the sum of a row's tokens so far."""
    return torch.nn.functional.one_hot(ids.cumsum(-1) % 50, 50).float()


def test_a_causal_network_is_tried_in_one_pass_over_three_rows_of_ten_tokens():
    network = Stub(_sums)
    refuse_foresight(network, "a")
    assert network.passes == [(3, 10)]


def test_one_token_of_foresight_is_enough():
    network = Stub(lambda ids: _sums(ids.roll(-1, dims=1)))
    with pytest.raises(StepError, match="a is no causal language model"):
        refuse_foresight(network, "a")


def test_rows_that_a_network_mixes_up_are_no_foresight():
    assert foresight(Stub(lambda ids: _sums(ids + ids.sum(dim=0) * (len(ids) > 1)))) is None


def test_rounding_is_no_foresight():
    noise = torch.Generator().manual_seed(0)
    rounded = Stub(lambda ids: _sums(ids) + 1e-5 * torch.rand(*ids.shape, 50, generator=noise))
    assert foresight(rounded) is None


def test_a_network_that_looks_at_one_token_only_is_causal():
    assert foresight(Stub(lambda ids: torch.nn.functional.one_hot(ids % 50, 50).float())) is None
