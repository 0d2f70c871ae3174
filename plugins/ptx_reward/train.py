"""A reward model through TRL's RewardTrainer; pairs may say by how much the chosen answer is better."""

from __future__ import annotations

from typing import Any

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.classifier import make_reward_trainer, run_reward_trainer
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.trainer import length_of
from ptx.lm.training.trl_args import trl_config
from ptx_reward import RewardModel

Row = dict[str, Any]


def train(run: Run, method: RewardModel, model: ModelRef, data: DataSet) -> ModelRef:
    """Train a classifier with one label that starts from ``model``, and return it."""
    tokenizer = load_tokenizer(model.path)
    shape = data.require(method.needs, "method=reward")
    rows = with_margins(trl_rows(shape, data.rows(shape), tokenizer), data.rows(shape))
    args = trl_config(
        run,
        method,
        "RewardConfig",
        max_length=length_of(method, model.path),
        center_rewards_coefficient=method.center or None,
    )
    trainer = make_reward_trainer(run, "RewardTrainer", method, model, tokenizer, rows, args)
    return run_reward_trainer(run, trainer, method, model)


def with_margins(rows: list[Row], given: list[Row]) -> list[Row]:
    """The rows with the margins of the data, if there are some; a pair without one has 0."""
    if not any(isinstance(row.get("margin"), int | float) for row in given):
        return rows
    return [
        {**row, "margin": float(source.get("margin") or 0.0)} for row, source in zip(rows, given, strict=True)
    ]
