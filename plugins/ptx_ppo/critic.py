"""The critic: the trunk of a model with one number per token."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ptx import ModelRef, Run, StepError
from ptx.lm.load import quiet
from ptx.lm.training.trainer import load_policy, peft_config
from ptx.lm.weights import open_weights
from ptx_ppo import PPO

if TYPE_CHECKING:
    from transformers import PreTrainedModel

START = 1e-6  # scale of a new head: it predicts 0, and is no exact zero, which ptx would keep as pruned


def critic_from(run: Run, method: PPO, model: ModelRef) -> PreTrainedModel:
    """A critic that starts from ``method.critic`` (a reward model, with its head) or from the step's input.

    Raises:
        StepError: transformers has no classifier of tokens for this architecture.
    """
    quiet()
    import torch
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    source: Any
    if "critic" in run.models:
        source = open_weights(
            AutoModelForSequenceClassification, run.models["critic"].path, dtype=torch.float32
        )
    else:
        source = load_policy(run, method, model)
    config = copy.deepcopy(source.config)
    config.num_labels = 1
    config.get_text_config().classifier_dropout = 0.0
    try:
        made: Any = AutoModelForTokenClassification.from_config(config, dtype=torch.float32)
    except ValueError as error:
        raise StepError(f"transformers has no classifier of tokens for {type(source).__name__}") from error
    made.base_model.load_state_dict(source.base_model.state_dict())
    head, known = _head(made), _head(source) if "critic" in run.models else None
    with torch.no_grad():
        if head.bias is not None:
            head.bias.fill_(START)
        if known is None:
            head.weight.normal_(std=START, generator=torch.Generator().manual_seed(run.seed))
        else:
            head.weight.copy_(known.weight)
    return with_adapters(made.to(run.device), method, run.seed)


def with_adapters(critic: PreTrainedModel, method: PPO, seed: int) -> PreTrainedModel:
    """The critic, with adapters of its own where the policy has some; its head is trained in full."""
    if method.lora is None:
        return critic
    from peft import get_peft_model
    from transformers import set_seed

    set_seed(seed)  # adapters are drawn: these, and the policy's after them

    quiet_lora = replace(method.lora, dropout=0.0)  # a prediction that varies would be noise in the advantage
    wrapped: Any = get_peft_model(critic, peft_config(quiet_lora, "TOKEN_CLS"))
    return wrapped  # type: ignore[no-any-return]


def _head(model: Any) -> Any:
    found = next((getattr(model, name) for name in ("score", "classifier") if hasattr(model, name)), None)
    if found is None or not hasattr(found, "weight"):
        raise StepError(f"{type(model).__name__} has no linear head that a critic could be made of")
    return found
