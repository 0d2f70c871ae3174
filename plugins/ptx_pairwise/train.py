"""ORPO, SimPO and CPO through TRL's data path."""

from __future__ import annotations

from functools import partial

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.trainer import length_of, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx.lm.training.truncation import refuse_double_start, report_left_out
from ptx_pairwise import Pairwise


def train(run: Run, method: Pairwise, model: ModelRef, data: DataSet) -> ModelRef:
    """Train ``model`` on pairs and return the result."""
    tokenizer = load_tokenizer(model.path)
    name = run.host.choice_of(method).name
    shape = data.require(method.needs, f"method={name}")
    rows = trl_rows(shape, data.rows(shape), tokenizer)
    args = trl_config(
        run,
        method,
        "DPOConfig",
        max_length=length_of(method, model.path),
        beta=method.beta,  # type: ignore[attr-defined]
        precompute_ref_log_probs=True,  # so that no reference is loaded; none is computed either
    )
    from ptx_pairwise.trainer import PairwiseTrainer  # TRL is imported after trl_config has quieted it

    trainer = make_trainer(run, partial(PairwiseTrainer, method=method), method, model, tokenizer, rows, args)
    why = ", and a cut answer has another mean log-probability"
    report_left_out(run, len(rows), len(trainer.train_dataset), args.max_length, why)
    refuse_double_start(trainer.processing_class, trainer.train_dataset["prompt_ids"])
    return run_trainer(run, trainer, method, model)
