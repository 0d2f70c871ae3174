"""DPO through TRL's DPOTrainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ptx import DataSet, ModelRef, Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.other_reference import forget_reference, reference_of
from ptx.lm.training.reference import trainer_with_reference
from ptx.lm.training.rows import trl_rows
from ptx.lm.training.step_counts import chosen_tokens, counting
from ptx.lm.training.trainer import length_of, make_trainer, run_trainer
from ptx.lm.training.trl_args import trl_config
from ptx.lm.training.truncation import report_truncation
from ptx_dpo import DPO

if TYPE_CHECKING:
    from torch import Tensor


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
    reference, copy = reference_of(run, method, model, tokenizer)
    kind = trainer_with_reference("DPOTrainer", run, method, reference)
    if method.loss == "sft":  # a mean over tokens, that of the others is over pairs
        kind = by_tokens(kind)
    trainer = make_trainer(run, kind, method, model, tokenizer, rows, args, ref_model=copy)
    forget_reference(trainer, method)
    report_truncation(run, trainer, len(rows), ("chosen_ids", "rejected_ids"))
    return run_trainer(run, trainer, method, model)


def by_tokens(kind: type) -> type:
    """The trainer ``kind`` with its loss as a mean over the chosen tokens of the whole step."""
    base: Any = counting(kind, answers=chosen_tokens)

    class ByTokens(base):  # type: ignore[misc]
        """The trainer, whose passes weigh as much as they have tokens."""

        def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
            found = super()._compute_loss(model, inputs, return_outputs)
            factor = self.share("answers", inputs)
            if return_outputs:
                return found[0] * factor, found[1]
            mean: Tensor = found
            return mean * factor

    ByTokens.__name__ = kind.__name__
    return ByTokens
