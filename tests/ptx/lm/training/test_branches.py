"""Rows that begin alike are read once; log-probabilities and gradients are those of the rows apart."""

import inspect
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import CONFIG_MAPPING, AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head

from ptx.config import Exact, Speed
from ptx.lm.training import branches
from ptx.lm.training.branches import APART, PER_TOKEN, Work, bundled, bundles, passes_of, spread
from ptx.lm.training.passes import short_head
from ptx.models.shape import ROTARY

CHEAP = Work(1e6, 8)  # attention hardly counts, so all is shared that can be


def rows():
    """Four prompts of 10 to 31 tokens with two answers each, a row twice, and one of its own."""
    draw = torch.Generator().manual_seed(1)

    def some(count):
        return torch.randint(6, 90, (count,), generator=draw).tolist()

    made = []
    for number in range(4):
        prompt = some(10 + 7 * number)
        made += [prompt + some(5), prompt + some(9 + number)]
    return [*made, list(made[0]), some(30)]


def batch(given, left=0):
    """The rows padded at their end, and with ``left`` at both ends; the last five tokens are labels."""
    width = max(map(len, given)) + left
    ids = torch.zeros(len(given), width, dtype=torch.long)
    mask, labels = ids.clone(), torch.full_like(ids, -100)
    for number, row in enumerate(given):
        start = left * number % (width - len(row) + 1)
        ids[number, start : start + len(row)] = torch.tensor(row)
        mask[number, start : start + len(row)] = 1
        labels[number, start + len(row) - 5 : start + len(row)] = torch.tensor(row[-5:])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def network_of(kind, **options):
    torch.manual_seed(0)
    shape = {
        "vocab_size": 96,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "head_dim": 8,
    }
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4 if kind == "gpt_neox" else 2}
    ends = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 256}
    config = CONFIG_MAPPING[kind](**shape | heads | ends | {"sliding_window": None} | options)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").float()
    for layer in model.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.3)
    add_fused_lm_head(model, outputs=PER_TOKEN)
    return model.train()


def gradients(network, call):
    network.zero_grad()
    with short_head("cpu"):
        found = call()
    (found.log_probs.sum() / 10).backward()
    return found, torch.cat([weight.grad.flatten() for weight in network.parameters()])


@pytest.mark.parametrize("left", [0, 3])
@pytest.mark.parametrize("kind", sorted(ROTARY))
def test_every_number_and_gradient_is_that_of_the_rows_apart(kind, left):
    network, given = network_of(kind), batch(rows(), left)
    apart, slopes = gradients(network, lambda: network(**given, fused_lm_head=True))
    work = Work(1e6, branches.work_of(network).width)
    shared, others = gradients(network, lambda: spread(network, given, work, 60))
    for name in PER_TOKEN:
        torch.testing.assert_close(getattr(shared, name), getattr(apart, name), rtol=1e-5, atol=5e-5)
    torch.testing.assert_close(shared.loss, apart.loss)
    assert torch.equal(shared.label_mask, apart.label_mask)
    assert float((others - slopes).norm() / slopes.norm()) < 1e-5


def test_what_is_shared_is_read_once():
    network, given, seen = network_of("llama"), batch(rows()), []
    network.model.embed_tokens.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].numel()))
    for work in (APART, CHEAP):
        spread(network, given, work, 40)
        seen.append(-1)
    apart, shared = (sum(seen[: seen.index(-1)]), sum(seen[seen.index(-1) + 1 : -1]))
    assert shared < 0.75 * apart < 0.75 * given["input_ids"].numel()


def test_rows_share_only_where_that_is_less_work_and_no_row_is_lost():
    given = rows()
    made = bundles(given, CHEAP)
    assert sorted(row for bundle in made for row in bundle.rows) == list(range(len(given)))
    assert sorted(len(bundle.rows) for bundle in made) == [1, 2, 2, 2, 3]
    for bundle in made:
        assert len({tuple(given[row][: bundle.shared]) for row in bundle.rows}) == 1
        assert bundle.length == bundle.shared + sum(len(given[row]) - bundle.shared for row in bundle.rows)
    assert all(len(bundle.rows) == 1 for bundle in bundles(given, APART))
    assert all(len(bundle.rows) == 1 for bundle in bundles(given, Work(1, 1000)))  # all is attention
    assert [[one.length for one in part] for part in passes_of(made, 0)] == [
        sorted((one.length for one in made), reverse=True)
    ]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("gpt2", {}),  # learnt positions
        ("mistral", {"sliding_window": 16}),
        ("gemma2", {"sliding_window": 16}),
        ("gpt_neox", {"attention_dropout": 0.1}),
    ],
)
def test_an_architecture_that_could_come_out_otherwise_shares_nothing(kind, options):
    network = network_of(kind, **options)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Dropout) and "attention_dropout" in options:
            layer.p = 0.1
    assert branches.work_of(network) is APART
    if kind != "gpt_neox":
        given = batch(rows())
        apart, short = network(**given, fused_lm_head=True), spread(network, given, APART, 60)
        torch.testing.assert_close(short.log_probs, apart.log_probs, rtol=1e-5, atol=5e-5)


def trainer_of(network, **args):
    return SimpleNamespace(model=network, args=SimpleNamespace(**args))


def test_a_model_with_an_adapter_reads_bundles_too():
    network, given, read = network_of("llama"), batch(rows()), []
    network.model.layers[0].register_forward_pre_hook(lambda _, args: read.append(args[0].shape[:2].numel()))
    adapted = get_peft_model(network, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    before = adapted(**given, fused_lm_head=True).log_probs
    with bundled(trainer_of(adapted), Speed(), "cpu"):
        found = adapted(**given, fused_lm_head=True).log_probs
    torch.testing.assert_close(found, before, rtol=1e-5, atol=5e-5)
    assert read[1] < 0.8 * read[0]


def test_a_trainer_s_model_reads_bundles_while_it_trains_and_generates_as_before(monkeypatch):
    network, given, called = network_of("llama"), batch(rows()), []
    usual = branches.spread
    monkeypatch.setattr(branches, "spread", lambda *args: called.append(1) or usual(*args))
    before = network(**given, fused_lm_head=True).log_probs
    with bundled(trainer_of(network), Speed(pass_tokens=60), "cpu"):
        assert "input_ids" in inspect.signature(network.forward).parameters
        torch.testing.assert_close(
            network(**given, fused_lm_head=True).log_probs, before, rtol=1e-5, atol=5e-5
        )
        assert called == [1]
        network(input_ids=given["input_ids"])
        network(**given | {"position_ids": given["input_ids"]}, fused_lm_head=True)
        network.generate(given["input_ids"][:1, :8], max_new_tokens=2)
    assert called == [1]
    assert torch.equal(network(**given, fused_lm_head=True).log_probs, before)
    for off in ((Exact(), {}), (Speed(), {"neftune_noise_alpha": 5.0})):
        with bundled(trainer_of(network, **off[1]), off[0], "cpu"):
            network(**given, fused_lm_head=True)
    network.config.output_router_logits, before_it = True, network.forward
    with bundled(trainer_of(network), Speed(), "cpu"):
        assert network.forward == before_it
    network.config.output_router_logits = False
    monkeypatch.setattr(branches, "ranks", lambda: 2)
    with bundled(trainer_of(network), Speed(), "cpu"):
        network(**given, fused_lm_head=True)
    assert called == [1]
