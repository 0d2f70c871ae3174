"""The steps: score, choose, cut, save, and check.

The check compares the smaller model's logits with those of the original with the same units switched off.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ptx import DataSet, ModelRef, Run, StepError
from ptx.lm.compression.network import context_of, load_merged, logits
from ptx.lm.compression.oneshot import Batch, recorded_batches
from ptx.lm.dtypes import keep_dtypes
from ptx.lm.load import load_model, load_tokenizer
from ptx.machine import release_memory
from ptx.models.inspection import inspect
from ptx_structured_pruning import Depth, Width
from ptx_structured_pruning.cut import State, config_of, config_without_layers, state_of, state_without_layers
from ptx_structured_pruning.depth import unimportant_layers
from ptx_structured_pruning.layout import Sizes, cut, dropped, layout_problems, size_problems
from ptx_structured_pruning.masks import Kept, without_layers, without_units
from ptx_structured_pruning.measure import Scores, width_scores
from ptx_structured_pruning.solver import kept_heads, largest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PROBE_TOKENS = 64
TOLERANCE = {torch.float32: 2e-3, torch.bfloat16: 5e-2, torch.float16: 2e-2}  # of the largest logit


def compress(run: Run, compressor: Depth | Width, model: ModelRef, data: DataSet | None) -> ModelRef:
    """Cut ``model`` and save it below ``run.folder``.

    Raises:
        StepError: the architecture or the sizes cannot be cut, or the smaller model computes something
            else than it should.
    """
    tokenizer = load_tokenizer(model.path)
    network = load_merged(run, model)
    _check(compressor, network, model)
    batches = recorded_batches(run, data, tokenizer, compressor, context_of(network))
    parameters = network.num_parameters()
    ids, dtype = _probe(network), network.dtype
    cut_to = _without_layers if isinstance(compressor, Depth) else _narrower
    changes, state, expected = cut_to(run, network, compressor, batches, ids)
    _save(network, changes, state, run.folder / "model")
    keep_dtypes(run.folder / "model", model.path)
    tokenizer.save_pretrained(run.folder / "model")
    saved = ModelRef.of(run.folder / "model")
    del network, state
    release_memory()
    _compare(run, saved, ids, expected, dtype)
    counts = {"parameters": float(inspect(saved.path).parameters), "parameters_before": float(parameters)}
    run.log({**counts, "bytes": float(saved.bytes), "bytes_before": float(model.bytes)}, 1, 1)
    return saved


def _probe(network: PreTrainedModel) -> Tensor:
    """Return the row of tokens on which the two models are compared, (1, T)."""
    vocabulary, length = network.config.vocab_size, min(PROBE_TOKENS, network.config.max_position_embeddings)
    return torch.randint(vocabulary, (1, length), generator=torch.Generator().manual_seed(0))


def _compare(run: Run, saved: ModelRef, ids: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    """Compare the saved model, read back, with the original with the removed units switched off."""
    smaller = load_model(saved, dtype=str(dtype).removeprefix("torch."), device=run.device).eval()
    difference = float((logits(smaller, ids) - expected).abs().max() / expected.abs().max())
    if not difference <= TOLERANCE[dtype]:
        raise StepError(
            "the smaller model is not the original without the removed units: its logits differ by"
            f" {difference:.2%} of the largest; ptx does not know everything that this architecture computes"
        )


def _check(config: Depth | Width, network: PreTrainedModel, model: ModelRef) -> None:
    """Repeat the header checks for this step's input model.

    The checks before the run saw the recipe's first model only.
    """
    shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    facts = network.config.to_dict()
    if found := layout_problems(facts, shapes, str(model.path)) or size_problems(config, facts):
        raise StepError("\n".join(map(str, found)))


def _without_layers(
    run: Run, network: PreTrainedModel, config: Any, batches: list[Batch], ids: Tensor
) -> tuple[dict[str, Any], State, Tensor]:
    total = network.config.num_hidden_layers
    count = dropped(config, Sizes.of(network.config.to_dict()))
    removed, scores = unimportant_layers(run, network, config, count, batches)
    run.say(
        f"removing {len(removed)} of {total} layers: {', '.join(map(str, removed))} ({config.importance}:"
        f" {_listed(scores)})"
    )
    with without_layers(network, removed):
        expected = logits(network, ids)
    changes = config_without_layers(network.config, removed)
    return changes, state_without_layers(_state(network), total, removed), expected


def _listed(scores: list[float]) -> str:
    return " ".join(f"{score:.3g}" for score in scores)


def _narrower(
    run: Run, network: PreTrainedModel, config: Any, batches: list[Batch], ids: Tensor
) -> tuple[dict[str, Any], State, Tensor]:
    before = Sizes.of(network.config.to_dict())
    after = cut(config, before)
    kept = chosen(width_scores(run, network, config, before, batches), before, after)
    run.say(
        f"keeping {after.ffn} of {before.ffn} feed-forward channels, {after.groups} of {before.groups}"
        f" key-value heads, {after.heads} of {before.heads} query heads of each, {after.hidden} of"
        f" {before.hidden} residual channels ({config.importance})"
    )
    with without_units(network, kept, before.head_dim):
        expected = logits(network, ids)
    return config_of(after, before, network.config.rms_norm_eps), state_of(network, kept, before), expected


def chosen(scores: Scores, before: Sizes, after: Sizes) -> Kept:
    """Return the most important units of every layer, in the numbers that ``after`` gives."""
    heads = [
        kept_heads(score, before.groups, before.heads, after.groups, after.heads) for score in scores.heads
    ]
    ffn = [largest(score, after.ffn) for score in scores.ffn]
    return Kept(
        ffn,
        [groups for groups, _ in heads],
        [queries for _, queries in heads],
        largest(scores.hidden, after.hidden),
    )


def _state(network: PreTrainedModel) -> State:
    """Return all tensors that are stored: an output layer tied to the embeddings is not."""
    tied = network.config.tie_word_embeddings
    return {
        name: tensor
        for name, tensor in network.state_dict().items()
        if not (tied and name == "lm_head.weight")
    }


def _save(network: PreTrainedModel, changes: dict[str, Any], state: State, folder: Path) -> None:
    """Write the folder of a model with ``changes`` in its config.

    Raises:
        StepError: transformers refuses the config; its message is included.
    """
    from transformers.initialization import no_init_weights

    try:
        made = type(network.config).from_dict(network.config.to_dict() | changes)
    except ValueError as error:
        raise StepError(f"transformers refuses {changes}: {error}") from error
    with no_init_weights():
        empty = type(network)(made).eval()
    missing = set(empty.load_state_dict(state, strict=False, assign=True).missing_keys) - {"lm_head.weight"}
    if missing:
        raise StepError(
            f"the smaller model lacks {', '.join(sorted(missing)[:5])}; report this with the model's name"
        )
    empty.tie_weights()
    empty.generation_config = network.generation_config
    empty.save_pretrained(folder, safe_serialization=True)
