"""SFT through TRL's SFTTrainer.

The loss is TRL's. Tokens and labels are made by ptx and are equal to TRL's, except where a row says that a
message is not trained; they are checked before the first step.
"""

from __future__ import annotations

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.inspection import check_rows
from ptx.lm.training.passes import trainer_with_short_passes
from ptx.lm.training.rows import as_dataset
from ptx.lm.training.stored_tokens import stored_tokens
from ptx.lm.training.tokens import token_rows
from ptx.lm.training.trainer import length_of, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx_sft import SFT


def train(run: Run, method: SFT, model: ModelRef, data: DataSet) -> ModelRef:
    """Fine-tune ``model`` and return the result."""
    tokenizer = load_tokenizer(model.path)
    shape = data.require(method.needs, "method=sft")
    given, only = data.rows(shape), method.assistant_only
    rows = stored_tokens(
        run,
        tokenizer,
        given,
        {"shape": shape, "answers_only": only},
        lambda: as_dataset(token_rows(shape, given, tokenizer, answers_only=only)),
    )
    args = trl_config(
        run,
        method,
        "SFTConfig",
        max_length=length_of(method, model.path),
        packing=method.packing,
        assistant_only_loss=False,  # the rows come with their labels
        completion_only_loss=False,
    )
    kind = trainer_with_short_passes("SFTTrainer", method.speed, run.device)
    trainer = make_trainer(run, kind, method, model, tokenizer, rows, args)
    check_rows(run, trainer, rows)
    return run_trainer(run, trainer, method, model)
