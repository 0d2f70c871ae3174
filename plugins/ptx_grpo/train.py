"""GRPO through TRL's GRPOTrainer, with ptx's scorers as reward functions."""

from __future__ import annotations

from typing import Any

from ptx import DataSet, ModelRef, Run, StepError
from ptx.lm.lengths import check_start
from ptx.lm.load import load_tokenizer
from ptx.lm.rows import trl_rows
from ptx.lm.training import context_of, make_trainer, run_trainer
from ptx.lm.trl_args import trl_config
from ptx_grpo import GRPO
from ptx_grpo.rewards import Rewards


def train(run: Run, method: GRPO, model: ModelRef, data: DataSet) -> ModelRef:
    """Train ``model`` on prompts and return the result."""
    tokenizer = load_tokenizer(model.path)
    shape = data.require(method.needs, "method=grpo")
    rows = trl_rows(shape, data.rows(shape), chat=tokenizer.chat_template is not None)
    rows = fitting(run, method, model, tokenizer, rows)
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
    trainer = make_trainer(run, "GRPOTrainer", method, model, tokenizer, rows, args, reward_funcs=rewards.functions())
    return run_trainer(run, trainer, method, model, rewards.explain)


def fitting(run: Run, method: GRPO, model: ModelRef, tokenizer: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows whose prompt leaves room for an answer in the model's context; TRL would sample past its end."""
    context = context_of(model.path)
    lengths = [prompt_ids(tokenizer, row["prompt"]) for row in rows]
    check_start(tokenizer, lengths)
    if context is None:
        return rows
    room = context - method.max_completion_length
    kept = [row for row, ids in zip(rows, lengths, strict=True) if len(ids) <= room]
    lost = len(rows) - len(kept)
    if 2 * lost > len(rows):
        raise StepError(
            f"{lost} of {len(rows)} prompts leave no room for an answer of {method.max_completion_length} tokens in the model's context "
            f"of {context}; try a smaller method.max_completion_length or shorter prompts"
        )
    if lost:
        run.say(f"{lost} of {len(rows)} prompts are left out: with an answer they are longer than the model's context of {context} tokens")
    return kept


def prompt_ids(tokenizer: Any, prompt: Any) -> list[int]:
    """A prompt as the tokens that TRL will make of it."""
    if isinstance(prompt, str):
        return list(tokenizer(prompt)["input_ids"])
    return list(tokenizer.apply_chat_template(prompt, tokenize=True, return_dict=True, add_generation_prompt=True)["input_ids"])
