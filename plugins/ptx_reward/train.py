"""A reward model through TRL's RewardTrainer.

Three things are seen to here. The head is drawn when the classifier is made, so the seed is set before that.
With an adapter the head is trained in full and saved (PEFT's task SEQ_CLS); otherwise "all-linear" would put
an adapter on a random head that is then lost. And the score is read at the last token that is no padding, so
the padding token is written into the configuration.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ptx import DataSet, ModelRef, Run, StepError
from ptx.lm.load import load_tokenizer
from ptx.lm.training.rows import as_dataset, trl_rows
from ptx.lm.training.stored_tokens import with_stored_tokens
from ptx.lm.training.trainer import fit_trainer, length_of, load_policy, peft_config, save_classifier
from ptx.lm.training.trl_args import trl_class, trl_config
from ptx.lm.training.trl_warnings import report_trl_warnings
from ptx.lm.training.truncation import report_left_out
from ptx_reward import RewardModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Row = dict[str, Any]


def train(run: Run, method: RewardModel, model: ModelRef, data: DataSet) -> ModelRef:
    """Train a classifier with one label that starts from ``model``, and return it."""
    tokenizer = load_tokenizer(model.path)
    shape = data.require(method.needs, "method=reward")
    rows = with_margins(trl_rows(shape, data.rows(shape), tokenizer), data.rows(shape))
    length = length_of(method, model.path)
    center = method.center or None
    args = trl_config(run, method, "RewardConfig", max_length=length, center_rewards_coefficient=center)
    with report_trl_warnings(run):
        trainer = with_stored_tokens(run, trl_class("RewardTrainer"))(
            model=classifier_from(run, method, model, tokenizer),
            args=args,
            train_dataset=as_dataset(rows),
            processing_class=tokenizer,
            peft_config=peft_config(method.lora, "SEQ_CLS"),
        )
    report_left_out(run, len(rows), len(trainer.train_dataset), length)
    _say_padding(run, tokenizer, trainer.train_dataset[0]["chosen_ids"])
    fit_trainer(run, trainer, method, model)
    return save_classifier(run, trainer, method, model)


def with_margins(rows: list[Row], given: list[Row]) -> list[Row]:
    """The rows with the margins of the data, if there are some; a pair without one has 0."""
    if not any(isinstance(row.get("margin"), int | float) for row in given):
        return rows
    return [
        {**row, "margin": float(source.get("margin") or 0.0)} for row, source in zip(rows, given, strict=True)
    ]


def classifier_from(
    run: Run, method: RewardModel, model: ModelRef, tokenizer: PreTrainedTokenizerBase
) -> PreTrainedModel:
    """A classifier with one label on the trunk of a language model; the seed decides its head.

    Raises:
        StepError: transformers has no classifier for this architecture.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, set_seed

    policy = load_policy(run, method, model)
    config = copy.deepcopy(policy.config)
    config.num_labels = 1
    config.get_text_config().pad_token_id = tokenizer.pad_token_id
    set_seed(run.seed)
    try:
        made = AutoModelForSequenceClassification.from_config(config, dtype=policy.dtype)
    except ValueError as error:
        raise StepError(f"transformers has no sequence classifier for {type(policy).__name__}") from error
    made.base_model.load_state_dict(policy.base_model.state_dict())
    with torch.no_grad():
        placed: PreTrainedModel = made.to(policy.device)
    return placed


def _say_padding(run: Run, tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> None:
    if ids and ids[-1] == tokenizer.pad_token_id:
        run.say(
            f"{tokenizer.pad_token!r} both pads and ends a conversation, so the reward is read at the token"
            " before it, in training and in scoring"
        )
