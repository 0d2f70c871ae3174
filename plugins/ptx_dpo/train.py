"""DPO through TRL's DPOTrainer."""

from __future__ import annotations

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.reference import trainer_with_reference
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.trainer import length_of, load_reference, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx.lm.training.truncation import report_truncation
from ptx_dpo import DPO


def train(run: Run, method: DPO, model: ModelRef, data: DataSet) -> ModelRef:
    """Train ``model`` on pairs and return the result."""
    tokenizer = load_tokenizer(model.path)
    shape = data.require(method.needs, "method=dpo")
    rows = trl_rows(shape, data.rows(shape), tokenizer)
    args = trl_config(
        run,
        method,
        "DPOConfig",
        max_length=length_of(method, model.path),
        beta=method.beta,
        loss_type=[method.loss],
        label_smoothing=method.label_smoothing,
        precompute_ref_log_probs=method.cache_reference,
    )
    kind = trainer_with_reference("DPOTrainer", run, method, model)
    reference = None if method.cache_reference else load_reference(run, method, model)
    trainer = make_trainer(run, kind, method, model, tokenizer, rows, args, ref_model=reference)
    report_truncation(run, trainer, len(rows), ("chosen_ids", "rejected_ids"))
    return run_trainer(run, trainer, method, model)
