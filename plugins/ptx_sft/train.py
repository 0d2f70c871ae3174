"""SFT through TRL's SFTTrainer.

Tokens, labels and loss are TRL's; the tokenised rows are checked before the first step.
"""

from __future__ import annotations

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.inspection import check_rows
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.trainer import length_of, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx_sft import SFT


def train(run: Run, method: SFT, model: ModelRef, data: DataSet) -> ModelRef:
    """Fine-tune ``model`` and return the result."""
    tokenizer = load_tokenizer(model.path)
    shape = data.require(method.needs, "method=sft")
    rows = trl_rows(shape, data.rows(shape), chat=tokenizer.chat_template is not None)
    args = trl_config(
        run,
        method,
        "SFTConfig",
        max_length=length_of(method, model.path),
        packing=method.packing,
        assistant_only_loss=method.assistant_only and shape == "messages",
        completion_only_loss=method.assistant_only and shape == "completions",
    )
    trainer = make_trainer(run, "SFTTrainer", method, model, tokenizer, rows, args)
    check_rows(run, trainer, rows)
    return run_trainer(run, trainer, method, model)
