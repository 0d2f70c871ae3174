"""A process reward model: a classifier of tokens with transformers' Trainer, and a loss over steps.

The loss is the cross-entropy at the last token of every step, divided by the number of steps of the whole
optimizer step, so it does not depend on how that is cut into passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.classifier import classifier_from
from ptx.lm.training.trainer import fit_trainer, length_of, peft_config, save_classifier
from ptx.lm.training.trl_args import trl_config
from ptx.lm.training.truncation import report_left_out
from ptx_process import ProcessReward
from ptx_process.steps import encode

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MASKED = -100
Row = dict[str, Any]


def train(run: Run, method: ProcessReward, model: ModelRef, data: DataSet) -> ModelRef:
    """Train a classifier of steps that starts from ``model``, and return it."""
    tokenizer = load_tokenizer(model.path)
    given = data.rows(data.require(method.needs, "method=process_reward"))
    length = length_of(method, model.path)
    rows = [row for row in labelled(given, tokenizer) if len(row["input_ids"]) <= length]
    report_left_out(run, len(given), len(rows), length)
    args = trl_config(run, method, "RewardConfig", max_length=length, remove_unused_columns=False)
    trainer = _trainer(args, _classifier(run, method, model), rows, tokenizer)
    fit_trainer(run, trainer, method, model)
    return save_classifier(run, trainer, method, model)


def labelled(rows: list[Row], tokenizer: PreTrainedTokenizerBase) -> list[Row]:
    """Token ids and labels: 1 or 0 at the last token of each step, masked elsewhere."""
    found = []
    for row in rows:
        ids, ends = encode(tokenizer, row["prompt"], row["steps"])
        labels = [MASKED] * len(ids)
        for end, label in zip(ends, row["labels"], strict=True):
            labels[end] = int(label)
        found.append({"input_ids": ids, "labels": labels})
    return found


def _classifier(run: Run, method: ProcessReward, model: ModelRef) -> PreTrainedModel:
    """A classifier of tokens with two labels, with adapters if the method has some."""
    made = classifier_from(
        run, method, model, "AutoModelForTokenClassification", labels=2, classifier_dropout=0.0
    )
    if method.lora is None:
        return made
    from peft import get_peft_model

    return get_peft_model(made, peft_config(method.lora, "TOKEN_CLS"))  # type: ignore[return-value]


def _trainer(args: Any, model: PreTrainedModel, rows: list[Row], tokenizer: PreTrainedTokenizerBase) -> Any:
    from datasets import Dataset
    from torch.nn.functional import cross_entropy
    from transformers import DataCollatorForTokenClassification, Trainer

    class Steps(Trainer):  # type: ignore[misc]
        """transformers' Trainer with the loss over the steps of an optimizer step."""

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            labels = inputs.pop("labels")
            logits = model(**inputs).logits.float()  # (B, T, 2)
            total = cross_entropy(
                logits.flatten(0, 1), labels.flatten(), ignore_index=MASKED, reduction="sum"
            )
            number = num_items_in_batch if num_items_in_batch is not None else (labels != MASKED).sum()
            loss = total / number
            return (loss, logits) if return_outputs else loss

    made = Steps(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(rows),
        data_collator=DataCollatorForTokenClassification(tokenizer, padding=True),
        processing_class=tokenizer,
    )
    made.model_accepts_loss_kwargs = True  # the loss divides by the steps itself
    return made
