"""What a compressor did to the model's predictions: input and result, on the same text.

The text is the step's calibration data, or text of ptx's own where the step reads none. A step that promises
the same function is held to it. For all others the change is recorded, and a collapse is refused: a result
that predicts worse than guessing can be served by nobody, whatever its files look like.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from ptx import Compressor, DataSet, ModelRef, Run, StepError
from ptx.lm.compression.calibration import draw
from ptx.lm.compression.network import stored_dtype
from ptx.lm.drift import ROWS, TOKENS, Drift, drift, predictions, refuse_moved, rows_of
from ptx.lm.load import load_model, load_tokenizer, weights_of
from ptx.machine import release_memory
from ptx.models.inspection import inspect as facts_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LARGE = 4.0  # perplexity, as a multiple of the input's, from which the user is warned


def rows_for(run: Run, model: ModelRef, data: DataSet | None) -> list[list[int]]:
    """Return the rows of token ids on which both models are looked at."""
    tokenizer, limit = load_tokenizer(model.path), facts_of(weights_of(model.path)).max_positions
    if data is None or not getattr(run.config, "data", None):
        return rows_of(tokenizer, limit=limit)
    settings = SimpleNamespace(samples=ROWS, max_length=TOKENS)
    return [list(row) for row in draw(data, tokenizer, settings, run.seed, limit).rows]


def effect(run: Run, model: ModelRef, network: PreTrainedModel, rows: list[list[int]]) -> Drift:
    """Return the change from ``model`` to ``network``, the result as it was read back."""
    after = predictions(network, rows)
    source = load_model(model, dtype=stored_dtype(model), device=run.device)
    before = predictions(source, rows)
    del source
    release_memory()
    return drift(rows, before, after)


def figures_of(moved: Drift) -> dict[str, float]:
    """Return the metrics of the step's record, in nats per token."""
    return {
        "kl_to_input": moved.kl,
        "loss_of_input": moved.loss_before,
        "loss_of_result": moved.loss_after,
        "loss_tokens": float(moved.tokens),
    }


def judge(run: Run, compressor: Compressor, moved: Drift, model: ModelRef) -> None:
    """Refuse a function that was to be kept and is not, and a collapse; warn about a large loss.

    Raises:
        StepError: with the figures, and what to type to keep the result all the same.
    """
    name = run.label or type(compressor).__name__.lower()
    if compressor.promise().same_function:
        refuse_moved(moved, stored_dtype(model), name, "use another compressor for this architecture")
    said = (
        f"on {moved.tokens} tokens the loss went from {moved.loss_before:.3f} to {moved.loss_after:.3f} nats"
        f" per token (perplexity x {moved.ratio:.3g})"
    )
    if moved.collapsed and compressor.collapse != "warn":
        field = f"compress.{type(compressor).__name__.lower()}.collapse"
        raise StepError(
            f"the result predicts text worse than guessing: {said}; compress less, or keep it for a later"
            f" step that repairs it with {field}=warn"
        )
    if moved.collapsed or moved.ratio >= LARGE:
        run.say(f"warning: a large loss of quality: {said}")
