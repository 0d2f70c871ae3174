"""RLOO through TRL's RLOOTrainer, with ptx's scorers as reward functions."""

from __future__ import annotations

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.rewards import Rewards
from ptx.lm.training.rollouts import prompts_for
from ptx.lm.training.trainer import make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx_rloo import RLOO


def train(run: Run, method: RLOO, model: ModelRef, data: DataSet) -> ModelRef:
    """Train ``model`` on prompts and return the result."""
    tokenizer = load_tokenizer(model.path)
    rows = prompts_for(run, method, model, data, tokenizer)
    args = trl_config(
        run,
        method,
        "RLOOConfig",
        num_generations=method.num_generations,
        max_completion_length=method.max_completion_length,
        temperature=method.temperature,
        beta=method.beta,
        reward_clip_range=method.reward_clip and tuple(method.reward_clip),
        reward_weights=method.reward_weights,
    )
    rewards = Rewards(run, method)
    trainer = make_trainer(
        run, "RLOOTrainer", method, model, tokenizer, rows, args, reward_funcs=rewards.functions()
    )
    return run_trainer(run, trainer, method, model, rewards.explain)
