"""Merge a trained adapter into its base, and record what that did to the model that is saved.

An adapter is trained beside weights that it does not change. Merged, each sum of a weight and its update is
rounded to the dtype of the saved model, and updates of less than half a step of bfloat16 are lost: the
merged model is another one than the one that was trained. How far it is, is measured here on the rounded
weights, as for an export: the KL divergence and the share of tokens whose likeliest next token changes.
After QLoRA the adapter was trained beside weights of 4 bits, and is merged into the full ones; what that
did is measured too.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptx.hooks.run import Run
from ptx.lm.drift import predictions, rows_of
from ptx.lm.dtypes import exact_dtype
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.merge import merged
from ptx.lm.rounding import narrowed
from ptx.lm.training.method import TrlMethod
from ptx.models.inspection import inspect
from ptx.records import ModelRef

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel

    from ptx.lm.serving.fidelity import Fidelity


def merge_trained(
    run: Run, trained: PeftModel, method: TrlMethod, model: ModelRef, dtype: torch.dtype
) -> PreTrainedModel:
    """The trained adapter merged into the weights of ``model``, rounded to ``dtype``.

    The weights of a 4-bit base are read again in full: in 4 bits the adapter would be lost to rounding.
    """
    from ptx.lm.training.keep_zeros import set_masked_to_zero, zero_masks

    rows = rows_of(load_tokenizer(model.path), limit=inspect(model.path).max_positions)
    if method.lora.quantize:
        on_four_bits = predictions(trained, rows)
        trained = _on_full_weights(run, trained, model)
    before = predictions(trained, rows)
    masks = zero_masks(trained) if method.keep_zeros else {}
    made = merged(trained, method.saved_rounding)
    set_masked_to_zero(made, masks)
    made = narrowed(made, dtype, run.seed, method.saved_rounding)
    after = predictions(made, rows)
    record(run, "the model with its adapter", before, after)
    if method.lora.quantize:
        record(run, "the 4-bit model with its adapter", on_four_bits, after)
    return made


def _on_full_weights(run: Run, trained: PeftModel, model: ModelRef) -> PeftModel:
    """The adapter beside the weights that ``model`` has on disk."""
    from peft import PeftModel

    adapter = run.folder / "adapter"
    trained.save_pretrained(adapter)
    whole = PeftModel.from_pretrained(load_model(model, exact_dtype(model.path), run.device), str(adapter))
    shutil.rmtree(adapter)
    return whole


def record(run: Run, what: str, before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
    """Say and record how far the merged model is from ``what``, whose predictions were ``before``."""
    found = distance(before, after)
    run.say(f"merged, against {what}: {found.figures}")
    run.event("merge", against=what, **found.numbers())


def distance(before: Sequence[Tensor], after: Sequence[Tensor]) -> Fidelity:
    """KL and flips from predictions on some rows to those of another model on the same rows."""
    from ptx.lm.serving.fidelity import fidelity_of, row_of

    pairs = zip(before, after, strict=True)
    return fidelity_of([row_of(old.numpy(), new.numpy()) for old, new in pairs], sum(map(len, before)))
