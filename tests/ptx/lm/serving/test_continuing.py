import random

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig

from ptx.lm.serving import continuing
from ptx.lm.serving.continuing import cannot_continue, continued

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


def greedy(scores, _):
    return scores.argmax(dim=-1)


def alone(model, row, most, ended):
    ids = list(row)
    with torch.no_grad():
        while len(ids) < len(row) + most and not (len(ids) > len(row) and ended(ids[len(row) :])):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(row) :]


def ended(new):
    return len(new) > 1 + new[0] % 9


@pytest.mark.parametrize("header", [0, 30])
@pytest.mark.parametrize("lengths", [(5, 5, 5), (3, 12, 7), (9, 1, 4)])
def test_every_row_goes_on_as_it_would_alone(llama, header, lengths):
    rng = random.Random(header + lengths[1])
    start = [rng.randrange(97) for _ in range(header)]
    rows = [start + [rng.randrange(97) for _ in range(length)] for length in lengths]
    rows = rows * 3 + rows[:1]  # a group of equal prompts
    expected = {tuple(row): alone(llama, row, 20, ended) for row in rows}
    assert len({len(new) for new in expected.values()}) > 1, "all rows end together: nothing leaves the batch"
    assert continued(llama, rows, 20, greedy, ended) == [expected[tuple(row)] for row in rows]


def test_equal_prompts_and_their_common_beginning_are_read_once_and_ended_rows_not_at_all(llama, monkeypatch):
    rng = random.Random(1)
    start = [rng.randrange(97) for _ in range(40)]
    rows = [start + [one] * 3 for one in (1, 2)] * 4
    read = []
    forward = llama.forward
    monkeypatch.setattr(
        llama, "forward", lambda **given: read.append(given["input_ids"].shape) or forward(**given)
    )
    monkeypatch.setattr(continuing, "_forward", lambda _: forward)
    lengths = {place: 2 + place for place in range(8)}
    ends = iter(range(1000))
    counted: dict[int, int] = {}

    def choose(scores, going):
        counted.update({place: counted.get(place, 0) + 1 for place in going})
        next(ends)
        return scores.argmax(dim=-1)

    new = continued(llama, rows, 9, choose, lambda made: len(made) >= lengths[0] + (len(made) % 2))
    assert read[:2] == [(1, 40), (2, 3)]
    assert sum(rows for rows, _ in read[2:]) == sum(map(len, new)) - len(rows)
    assert counted == {place: len(one) for place, one in enumerate(new)}


def test_a_token_costs_only_its_own_keys_and_the_cache_grows_in_steps(llama):
    row = list(range(10))
    with torch.inference_mode():
        _, batch = continuing._begin(llama, [row, row])
        layer = batch.cache.layers[0]
        batch.read(torch.tensor([1, 2]))
        held = layer.keys.data_ptr()
        for token in range(20):
            batch.read(torch.tensor([token, token]))
    assert layer.keys.data_ptr() == held
    assert layer.get_seq_length() == 31


def test_a_model_whose_cache_forgets_positions_or_that_takes_none_is_named():
    window = made(MistralConfig(**SMALL, sliding_window=8))
    assert "does not keep every position" in cannot_continue(window)
    plain = made(GPT2Config(vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=64))
    assert cannot_continue(plain) == ""


def test_a_model_that_scores_otherwise_in_a_batch_is_found_by_the_trial(llama, monkeypatch):
    forward = llama.forward

    def wrong(**given):  # positions are ignored, as in a model that counts them itself
        return forward(**{name: value for name, value in given.items() if name != "position_ids"})

    monkeypatch.setattr(continuing, "_tried", {})
    monkeypatch.setattr(continuing, "_forward", lambda _: forward)
    assert cannot_continue(llama) == ""
    monkeypatch.setattr(continuing, "_tried", {})
    monkeypatch.setattr(llama, "forward", wrong)
    assert "nats apart" in cannot_continue(llama)
