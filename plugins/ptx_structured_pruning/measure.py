"""Run the calibration rows through the model, and score every unit of width in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ptx import Run
from ptx.lm.compression.oneshot import Batch
from ptx.lm.progress import Pace
from ptx_structured_pruning import Width
from ptx_structured_pruning.layout import Sizes
from ptx_structured_pruning.solver import gate_score, over_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass
class Scores:
    """Importance per unit: ``heads`` and ``ffn`` per decoder layer, ``hidden`` for the residual stream.

    Shapes: (query heads,), (feed-forward channels,) and (residual channels,).
    """

    heads: list[Tensor]
    ffn: list[Tensor]
    hidden: Tensor


def width_scores(
    run: Run, network: PreTrainedModel, config: Width, sizes: Sizes, batches: list[Batch]
) -> Scores:
    """Score feed-forward channels, query heads and residual channels together.

    Activation (Muralidharan et al. 2024, eq. 1): the inputs of down_proj; per head the norm of the inputs of
    o_proj; the outputs of the norms before attention, feed-forward and output layer, summed over the layers.
    Taylor (Molchanov et al. 2019): gates at the same places.
    """
    taylor = config.importance == "taylor"
    squared = not taylor and config.over_rows == "l2"
    seen: dict[str, Tensor] = {}  # of the current rows, (B, T, features)
    totals: dict[str, Tensor] = {}

    def add() -> None:
        for name, tensor in seen.items():
            for number in range(len(tensor)):
                row = _row_scores(name, tensor, number, config, sizes.head_dim)
                totals[name] = totals.get(name, torch.zeros_like(row)) + (row.square() if squared else row)
        seen.clear()

    with _inputs(_scored_modules(network), seen, gradients=taylor):
        run_rows(run, network, batches, add, gradients=taylor)
    scores = {name: (total.sqrt() if squared else total).cpu() for name, total in totals.items()}
    streams = [score for name, score in scores.items() if name.endswith(("q_proj", "gate_proj", "lm_head"))]
    layers = [f"model.layers.{layer}" for layer in range(sizes.layers)]
    heads, ffn = (
        [scores[f"{layer}.{part}"] for layer in layers] for part in ("self_attn.o_proj", "mlp.down_proj")
    )
    return Scores(heads, ffn, torch.stack(streams).sum(0))


def _scored_modules(network: PreTrainedModel) -> dict[str, nn.Module]:
    """Return the linear layers whose inputs are the units."""
    ends = ("self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj")
    return {name: module for name, module in network.named_modules() if name.endswith(ends)} | {
        "lm_head": network.get_output_embeddings()
    }


def _row_scores(name: str, tensor: Tensor, row: int, config: Width, head_dim: int) -> Tensor:
    heads = name.endswith("o_proj")
    values = tensor.detach()[row].float()  # (T, features)
    values = values.unflatten(-1, (-1, head_dim)) if heads else values
    if config.importance == "taylor":
        assert tensor.grad is not None  # retained, and the loss depends on it
        return gate_score(values, tensor.grad[row].float().reshape(values.shape))
    return over_tokens(values.norm(dim=-1) if heads else values, config.over_tokens)


@contextmanager
def _inputs(modules: Mapping[str, nn.Module], seen: dict[str, Tensor], *, gradients: bool) -> Iterator[None]:
    """Record the input of each module in ``seen`` while the context is open."""

    def keep(name: str) -> Any:
        def hook(_module: Any, inputs: tuple[Tensor, ...]) -> None:
            if gradients:
                inputs[0].retain_grad()
            seen[name] = inputs[0]

        return hook

    hooks = [module.register_forward_pre_hook(keep(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def run_rows(
    run: Run,
    network: PreTrainedModel,
    batches: list[Batch],
    after: Callable[[], None],
    *,
    gradients: bool = False,
) -> float:
    """Run every row through the model; return the mean loss per token, in nats.

    ``after`` is called after each batch. With ``gradients``, each row's own mean loss is propagated back to
    its activations, independent of the other rows in its batch; the weights get no gradients.
    """
    network.requires_grad_(requires_grad=False)
    pace = Pace(run)
    total, count = 0.0, 0
    embeddings = network.get_input_embeddings()
    hook = (
        embeddings.register_forward_hook(lambda _module, _inputs, output: output.requires_grad_())
        if gradients
        else None
    )
    try:
        for number, batch in enumerate(batches, 1):
            ids = batch["input_ids"].to(network.device)
            with torch.set_grad_enabled(gradients):
                logits = network(input_ids=ids, use_cache=False).logits
                losses = cross_entropy(
                    logits[:, :-1].float().transpose(1, 2), ids[:, 1:], reduction="none"
                )  # (B, T - 1)
            if gradients:
                losses.mean(1).sum().backward()
            after()
            total, count = total + float(losses.detach().sum()), count + losses.numel()
            pace.log({"batches_done": number, "batches": len(batches)}, number, len(batches))
    finally:
        if hook is not None:
            hook.remove()
    return total / count
