"""Classifiers on the trunk of a language model: reward models of whole answers and of their steps.

Three things are seen to here. The head is drawn when the classifier is made, so the seed is set before that.
With an adapter the head is trained in full and saved (PEFT's task SEQ_CLS); otherwise "all-linear" would put
an adapter on a random head that is then lost. And the score of a text is read at its last token that is no
padding, so the padding token is written into the configuration.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.training.method import TrlMethod
from ptx.lm.training.rows import as_dataset
from ptx.lm.training.stored_tokens import with_stored_tokens
from ptx.lm.training.trainer import fit_trainer, load_policy, peft_config, save_classifier
from ptx.lm.training.trl_args import trl_class
from ptx.lm.training.trl_warnings import report_trl_warnings
from ptx.lm.training.truncation import report_left_out
from ptx.records import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: class of transformers -> what it is called
CLASSES = {
    "AutoModelForSequenceClassification": "sequence classifier",
    "AutoModelForTokenClassification": "classifier of tokens",
}


def classifier_from(
    run: Run, method: TrlMethod, model: ModelRef, kind: str, labels: int, **settings: Any
) -> PreTrainedModel:
    """A classifier on the trunk of a language model; the seed decides its head.

    Args:
        run: the current run.
        method: the settings of the method.
        model: the language model.
        kind: transformers' class, as ``AutoModelForSequenceClassification``.
        labels: how many labels the head has; one is a score.
        settings: further settings of the model's configuration.

    Raises:
        StepError: transformers has no such classifier for this architecture.
    """
    import torch
    import transformers

    policy = load_policy(run, method, model)
    config = copy.deepcopy(policy.config)
    config.num_labels = labels
    for name, value in settings.items():
        setattr(config.get_text_config(), name, value)
    transformers.set_seed(run.seed)
    try:
        made = getattr(transformers, kind).from_config(config, dtype=policy.dtype)
    except ValueError as error:
        what = f"transformers has no {CLASSES.get(kind, kind)} for {type(policy).__name__}"
        raise StepError(what) from error
    made.base_model.load_state_dict(policy.base_model.state_dict())
    with torch.no_grad():
        placed: PreTrainedModel = made.to(policy.device)
    return placed


def make_reward_trainer(
    run: Run,
    kind: str | Callable[..., Any],
    method: TrlMethod,
    model: ModelRef,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, Any]],
    args: Any,
) -> Any:
    """TRL's trainer of reward models, with the classifier to train: one score for a whole answer.

    Args:
        run: the current run.
        kind: ``RewardTrainer``, or a subclass of it with another loss.
        method: the settings of the method, whose class says ``makes = "reward"``.
        model: the language model that it starts from.
        tokenizer: its tokenizer.
        rows: pairs in TRL's columns; longer ones than ``args.max_length`` are left out and counted.
        args: the TRL config.

    Raises:
        StepError: transformers has no sequence classifier for this architecture, or most pairs are too long.
    """
    pad = tokenizer.pad_token_id
    scorer = classifier_from(
        run, method, model, "AutoModelForSequenceClassification", labels=1, pad_token_id=pad
    )
    with report_trl_warnings(run):
        trainer = with_stored_tokens(run, trl_class(kind) if isinstance(kind, str) else kind)(
            model=scorer,
            args=args,
            train_dataset=as_dataset(rows),
            processing_class=tokenizer,
            peft_config=peft_config(method.lora, "SEQ_CLS"),
        )
    report_left_out(run, len(rows), len(trainer.train_dataset), args.max_length)
    if (ids := trainer.train_dataset[0]["chosen_ids"]) and ids[-1] == pad:
        run.say(
            f"{tokenizer.pad_token!r} both pads and ends a conversation, so the reward is read at the token"
            " before it, in training and in scoring"
        )
    return trainer


def run_reward_trainer(run: Run, trainer: Any, method: TrlMethod, model: ModelRef) -> ModelRef:
    """Train, from the last checkpoint if there is one, and write the classifier to ``run.folder / "model"``.

    Raises:
        StepError: as :func:`ptx.lm.training.trainer.fit_trainer`.
    """
    fit_trainer(run, trainer, method, model)
    return save_classifier(run, trainer, method, model)
