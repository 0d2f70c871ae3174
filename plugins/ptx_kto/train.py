"""KTO through TRL's KTOTrainer."""

from __future__ import annotations

import random
from typing import Any

from ptx import DataSet, ModelRef, Run, StepError
from ptx.lm.load import load_tokenizer
from ptx.lm.training.other_reference import forget_reference, reference_of
from ptx.lm.training.reference import trainer_with_reference
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.trainer import length_of, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx.lm.training.truncation import report_truncation
from ptx_kto import KTO


def train(run: Run, method: KTO, model: ModelRef, data: DataSet) -> ModelRef:
    """Train ``model`` on rows of one answer and its label, and return the result."""
    tokenizer = load_tokenizer(model.path)
    shape = data.require(method.needs, "method=kto")
    rows = shuffled(trl_rows(shape, data.rows(shape), tokenizer), run.seed)
    args = trl_config(
        run,
        method,
        "KTOConfig",
        max_length=length_of(method, model.path),
        beta=method.beta,
        loss_type=method.loss,
        desirable_weight=method.desirable_weight,
        undesirable_weight=method.undesirable_weight,
        precompute_ref_log_probs=method.cache_reference,
    )
    reference, copy = reference_of(run, method, model, tokenizer)
    kind = trainer_with_reference("KTOTrainer", run, method, reference)
    trainer = make_trainer(run, kind, method, model, tokenizer, rows, args, ref_model=copy)
    forget_reference(trainer, method)
    report_truncation(run, trainer, len(rows), ("completion_ids",))
    return run_trainer(run, trainer, method, model)


def shuffled(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """The rows in a random order that follows from the seed.

    Raises:
        StepError: all rows have the same label.
    """
    labels = {row["label"] for row in rows}
    if len(labels) < 2:
        raise StepError(
            f"all {len(rows)} thumbs have the label {labels}, and KTO needs both; add answers with the other"
            " label"
        )
    mixed = list(rows)
    random.Random(seed).shuffle(mixed)  # noqa: S311 (an order, not a secret)
    return mixed
