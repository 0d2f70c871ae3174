"""The mixture through TRL: the trainer iterates over conversations; pairs and safety rows are streams."""

from __future__ import annotations

from functools import partial

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.other_reference import reference_of
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.tokens import token_rows
from ptx.lm.training.trainer import length_of, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx.lm.training.truncation import refuse_double_start
from ptx_mix import Mix


def train(run: Run, method: Mix, model: ModelRef, data: DataSet) -> ModelRef:
    """Train ``model`` on all three kinds of rows and return the result."""
    from ptx_mix.trainer import MixTrainer  # TRL is imported after trl_config has quieted it

    tokenizer = load_tokenizer(model.path)
    args = trl_config(
        run, method, "SFTConfig", max_length=length_of(method, model.path), assistant_only_loss=False
    )
    rows = token_rows("messages", data.rows("messages"), tokenizer, answers_only=True)
    pairs = trl_rows("pairs", data.rows("pairs"), tokenizer)
    references = data.only("safety", "method=mix").rows("messages")
    safety = token_rows("messages", references, tokenizer, answers_only=True)
    reference = reference_of(run, method, model, tokenizer)
    kind = partial(MixTrainer, run=run, method=method, reference=reference, pairs=pairs, safety=safety)
    trainer = make_trainer(run, kind, method, model, tokenizer, rows, args)
    refuse_double_start(trainer.processing_class, trainer.train_dataset["input_ids"])
    return run_trainer(run, trainer, method, model)
