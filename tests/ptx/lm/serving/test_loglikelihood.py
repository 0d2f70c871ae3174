import random

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig

from ptx.lm.serving import loglikelihood
from ptx.lm.serving.batching import Batches
from ptx.lm.serving.continuing import cannot_continue
from ptx.lm.serving.loglikelihood import plain_answers, refusal_reason, shared_answers, tolerance_of

SMALL = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}


def made(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        parameter.data *= 5  # an untrained model's scores hardly depend on what it reads
    return model


@pytest.fixture(scope="module")
def llama():
    return made(LlamaConfig(**SMALL))


def batches(rows):
    return Batches(rows, 2**31, 2**31, enough=64)


def requests(rng, header, items, choices):
    found = []
    for _ in range(items):
        context = header + [rng.randrange(97) for _ in range(rng.randrange(5, 25))]
        found += [(context, [rng.randrange(97) for _ in range(rng.randrange(1, 6))]) for _ in range(choices)]
    return found


@pytest.mark.parametrize(("header", "choices"), [(0, 1), (0, 4), (60, 1), (60, 4)])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_scores_and_greedy_picks_are_those_of_each_request_by_itself(llama, header, choices, batch_size):
    rng = random.Random(header + choices)
    pairs = requests(rng, [rng.randrange(97) for _ in range(header)], 20, choices)
    found = dict(one for batch in shared_answers(llama, pairs, 128, batches(batch_size)) for one in batch)
    plain = plain_answers(llama, pairs, 128)
    assert sorted(found) == list(range(len(pairs)))
    assert [found[place][0] for place in sorted(found)] == pytest.approx(
        [score for score, _ in plain], abs=1e-3
    )
    assert [found[place][1] for place in sorted(found)] == [greedy for _, greedy in plain]


def test_requests_longer_than_the_context_are_cut_alike(llama):
    rng = random.Random(3)
    pairs = requests(rng, [rng.randrange(97) for _ in range(60)], 12, 3)
    found = dict(one for batch in shared_answers(llama, pairs, 64, batches(8)) for one in batch)
    assert [found[place][0] for place in sorted(found)] == pytest.approx(
        [score for score, _ in plain_answers(llama, pairs, 64)], abs=1e-3
    )


def test_far_fewer_tokens_are_read(llama):
    rng = random.Random(4)
    pairs = requests(rng, [rng.randrange(97) for _ in range(60)], 20, 4)
    read = []
    hook = llama.register_forward_pre_hook(
        lambda _, args, kwargs: read.append((args[0] if args else kwargs["input_ids"]).numel()),
        with_kwargs=True,
    )
    list(shared_answers(llama, pairs, 128, batches(64)))
    hook.remove()
    assert sum(read) < sum(len(context) + len(continuation) for context, continuation in pairs) / 4


def test_a_model_with_learned_positions_shares_too():
    gpt = made(GPT2Config(vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=128))
    assert refusal_reason(gpt) == ""


def test_a_sliding_window_is_a_reason_against(llama):
    assert refusal_reason(llama) == ""
    windowed = made(MistralConfig(**SMALL, sliding_window=8))
    assert "DynamicSlidingWindowLayer, which does not keep every position" in refusal_reason(windowed)


def test_rounding_to_bfloat16_is_no_reason_against(monkeypatch):
    model = made(LlamaConfig(**SMALL)).bfloat16()
    assert tolerance_of(model) > 0.5
    assert refusal_reason(model) == ""
    assert cannot_continue(model) == ""


def test_text_that_is_predicted_from_its_first_token_is_read_as_it_is(llama):
    rng = random.Random(5)
    pairs = [([1], [rng.randrange(97) for _ in range(30)]) for _ in range(6)]
    read = []
    hook = llama.register_forward_pre_hook(
        lambda _, args: read.append(tuple(args[0].shape)),
    )
    list(shared_answers(llama, pairs, 128, batches(6)))
    hook.remove()
    assert read == [(6, 30)]


def test_where_memory_is_full_a_batch_is_read_in_halves(llama, monkeypatch):
    plain, rng = type(llama).forward, random.Random(6)
    pairs = requests(rng, [], 6, 3)

    def small(self, input_ids, **given):
        if len(input_ids) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(self, input_ids, **given)

    expected = plain_answers(llama, pairs, 128)
    monkeypatch.setattr(type(llama), "forward", small)
    monkeypatch.setattr(loglikelihood, "_selects_logits", lambda _: True)
    found = dict(one for batch in shared_answers(llama, pairs, 128, batches(12)) for one in batch)
    assert [found[place][0] for place in sorted(found)] == pytest.approx(
        [score for score, _ in expected], abs=1e-3
    )


def test_a_model_that_ignores_positions_is_found_by_trying(llama, monkeypatch):
    plain = type(llama).forward

    def forgetful(self, input_ids=None, position_ids=None, **given):
        return plain(self, input_ids=input_ids, **given)

    monkeypatch.setattr(type(llama), "forward", forgetful)
    monkeypatch.setattr(loglikelihood, "_tried", {})
    assert "nats apart on a trial" in refusal_reason(llama)
