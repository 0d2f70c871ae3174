"""GRPO through TRL's GRPOTrainer, with ptx's scorers as reward functions."""

from __future__ import annotations

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.environments import acting_for
from ptx.lm.training.rewards import Rewards
from ptx.lm.training.rollouts import prompts_for
from ptx.lm.training.trainer import make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx_grpo import GRPO


def train(run: Run, method: GRPO, model: ModelRef, data: DataSet) -> ModelRef:
    """Train ``model`` on prompts and return the result."""
    tokenizer = load_tokenizer(model.path)
    acting = acting_for(run, method, tokenizer)
    rows = prompts_for(run, method, model, data, tokenizer)
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
        **acting.options(),
    )
    rewards = Rewards(run, method)
    trainer = make_trainer(
        run,
        "GRPOTrainer",
        method,
        model,
        tokenizer,
        rows,
        args,
        reward_funcs=rewards.functions(),
        **acting.extra(),
    )
    acting.attach(trainer)
    return run_trainer(run, trainer, method, model, rewards.explain)
