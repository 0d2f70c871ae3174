"""PPO through a subclass of TRL's GRPOTrainer, with ptx's scorers as reward functions."""

from __future__ import annotations

from functools import partial

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer, save_model
from ptx.lm.training.environments import acting_for
from ptx.lm.training.rewards import Rewards
from ptx.lm.training.rollouts import prompts_for
from ptx.lm.training.trainer import fit_trainer, make_trainer, save_result
from ptx.lm.training.trl_args import trl_config
from ptx_ppo import GENERATIONS, PPO
from ptx_ppo.critic import critic_from


def train(run: Run, method: PPO, model: ModelRef, data: DataSet) -> ModelRef:
    """Train ``model`` on prompts and return the result."""
    tokenizer = load_tokenizer(model.path)
    acting = acting_for(run, method, tokenizer)
    rows = prompts_for(run, method, model, data, tokenizer)
    args = trl_config(
        run,
        method,
        "GRPOConfig",
        num_generations=GENERATIONS,
        num_iterations=method.iterations,
        max_completion_length=method.max_completion_length,
        temperature=method.temperature,
        beta=method.beta,
        epsilon=method.clip,
        loss_type="dapo",
        reward_weights=method.reward_weights,
        **acting.options(),
    )
    from ptx_ppo.trainer import PPOTrainer  # TRL is imported after trl_config has quieted it

    rewards = Rewards(run, method)
    kind = partial(PPOTrainer, method=method, critic=critic_from(run, method, model))
    functions = rewards.functions()
    trainer = make_trainer(
        run, kind, method, model, tokenizer, rows, args, reward_funcs=functions, **acting.extra()
    )
    acting.attach(trainer)
    fit_trainer(run, trainer, method, model, rewards.explain)
    critic = trainer.take_critic()
    if method.keep_critic:
        save_model(critic, tokenizer, run.folder / "critic")
        run.say("the critic is kept in the folder critic beside the model")
    return save_result(run, trainer, method, model)
