"""GRPO through TRL's GRPOTrainer, with ptx's scorers as reward functions."""

from __future__ import annotations

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.trainer import context_of, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx.lm.training.truncation import drop_long_prompts
from ptx_grpo import GRPO
from ptx_grpo.rewards import Rewards


def train(run: Run, method: GRPO, model: ModelRef, data: DataSet) -> ModelRef:
    """Train ``model`` on prompts and return the result."""
    tokenizer = load_tokenizer(model.path)
    shape = data.require(method.needs, "method=grpo")
    rows = trl_rows(shape, data.rows(shape), tokenizer)
    rows = drop_long_prompts(run, tokenizer, rows, context_of(model.path), method.max_completion_length)
    args = trl_config(
        run,
        method,
        "GRPOConfig",
        num_generations=method.num_generations,
        max_completion_length=method.max_completion_length,
        temperature=method.temperature,
        beta=method.beta,
        loss_type=method.loss,
        reward_weights=method.reward_weights,
    )
    rewards = Rewards(run, method.rewards)
    trainer = make_trainer(
        run, "GRPOTrainer", method, model, tokenizer, rows, args, reward_funcs=rewards.functions()
    )
    return run_trainer(run, trainer, method, model, rewards.explain)
