"""The reference of a preference method, where it is not the step's input.

When preferences are trained in rounds, there are two schools: every round stays close to the first model
(RLHFlow), or to the one before it (SPIN). ``method.reference`` is ``input`` (the one before), ``start`` (the
model that the run starts from), a step (``sft``), or any model with the same tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.load import load_tokenizer
from ptx.lm.training.trainer import load_policy, load_reference
from ptx.records import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def reference_of(
    run: Run, method: Any, model: ModelRef, tokenizer: PreTrainedTokenizerBase
) -> tuple[ModelRef, PreTrainedModel | None]:
    """The reference, and a copy of it in memory; None where the trainer's model is it before training.

    Raises:
        StepError: it has other tokens than the model that is trained.
    """
    reference = run.models.get("reference", model)
    if reference.digest == model.digest:
        return model, None if caches(method) else load_reference(run, method, model)
    if load_tokenizer(reference.path).get_vocab() != tokenizer.get_vocab():
        raise StepError(
            f"method.reference={method.reference} has other tokens than {model.path}, so log-probabilities of"
            " answers cannot be compared; name a model of the same family"
        )
    return reference, load_policy(run, method, reference).eval()


def forget_reference(trainer: Any, method: Any) -> None:
    """Free the reference, once its log-probabilities are among the rows."""
    if caches(method):
        trainer.ref_model = None


def caches(method: Any) -> bool:
    """Whether the reference is asked once, before training; ``method=mix`` knows no other way."""
    return bool(getattr(method, "cache_reference", True))
