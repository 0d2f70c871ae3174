"""A critic with adapters that no trainer knows of."""

import torch
from peft import get_peft_model
from transformers import AutoModelForTokenClassification

from ptx import Lora
from ptx.lm.training.trainer import peft_config
from ptx_ppo.beside import Beside


def critic(chat_model):
    torch.manual_seed(0)
    made = AutoModelForTokenClassification.from_pretrained(chat_model, num_labels=1)
    return Beside(get_peft_model(made, peft_config(Lora(r=2), "TOKEN_CLS")))


def test_adapters_and_the_head_are_trained_clipped_and_forgotten(chat_model, tmp_path):
    beside, ids = critic(chat_model), torch.tensor([[5, 6, 7]])
    names = list(beside.trained)
    assert any("lora_A" in name for name in names)
    assert any("score" in name for name in names)
    assert not any("embed" in name for name in names)
    policy = torch.nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3)
    beside.train_with(optimizer, 0.1, 1.0)
    assert [group["lr"] for group in optimizer.param_groups] == [1e-3, 0.1]
    before = beside.critic(input_ids=ids).logits.detach()
    (beside.critic(input_ids=ids).logits.sum() * 1e4).backward()
    norms = []
    optimizer.register_step_pre_hook(
        lambda *_: norms.append(sum(one.grad.square().sum() for one in beside.trained.values()).sqrt().item())
    )
    optimizer.step()
    assert norms[0] <= 1.0 + 1e-4
    assert all(one.grad is None for one in beside.trained.values())
    after = beside.critic(input_ids=ids).logits.detach()
    assert not torch.allclose(before, after)
    beside.save(tmp_path)
    other = critic(chat_model)
    other.load(tmp_path)
    assert torch.equal(other.critic(input_ids=ids).logits, after)
    assert torch.allclose(other.merged()(input_ids=ids).logits, after, atol=1e-5)
