"""Calibration rows through the model, and the width importance of every unit in one pass over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ptx import Run
from ptx.lm.compression.oneshot import Batch
from ptx.lm.progress import Pace
from ptx_structured_pruning import Width
from ptx_structured_pruning.layout import Sizes
from ptx_structured_pruning.solver import gate_score, over_tokens


@dataclass
class Scores:
    """Importance per unit. ``heads`` and ``ffn`` per decoder layer, (query heads,) and (channels,);
    ``hidden`` (channels,).
    """

    heads: list[Tensor]
    ffn: list[Tensor]
    hidden: Tensor


def width_scores(run: Run, network: Any, config: Width, sizes: Sizes, batches: list[Batch]) -> Scores:
    """Score feed-forward channels, query heads and residual channels together.

    Activation (Muralidharan et al. 2024, eq. 1): what goes into down_proj; per head the norm of what goes
    into o_proj; what the norms before attention, feed-forward and output layer give, summed over the layers.
    Taylor (Molchanov et al. 2019): gates on the same places.
    """
    taylor, squared = (
        config.importance == "taylor",
        config.importance == "activation" and config.over_rows == "l2",
    )
    seen: dict[str, Tensor] = {}  # of the rows at hand, (B, T, features)
    totals: dict[str, Tensor] = {}

    def take() -> None:
        for name, tensor in seen.items():
            for number in range(len(tensor)):
                row = _row_scores(name, tensor, number, config, sizes.head_dim)
                totals[name] = totals.get(name, torch.zeros_like(row)) + (row.square() if squared else row)
        seen.clear()

    with _inputs(_places(network), seen, gradients=taylor):
        through(run, network, batches, take, gradients=taylor)
    scores = {name: (total.sqrt() if squared else total).cpu() for name, total in totals.items()}
    streams = [score for name, score in scores.items() if name.endswith(("q_proj", "gate_proj", "lm_head"))]
    layers = [f"model.layers.{layer}" for layer in range(sizes.layers)]
    heads, ffn = (
        [scores[f"{layer}.{part}"] for layer in layers] for part in ("self_attn.o_proj", "mlp.down_proj")
    )
    return Scores(heads, ffn, torch.stack(streams).sum(0))


def _places(network: Any) -> dict[str, Any]:
    """The linear layers whose inputs are the units."""
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
def _inputs(places: dict[str, Any], seen: dict[str, Tensor], *, gradients: bool) -> Iterator[None]:
    """Keep what goes into each place while rows go through."""

    def keep(name: str) -> Any:
        def hook(_module: Any, inputs: tuple[Tensor, ...]) -> None:
            if gradients:
                inputs[0].retain_grad()
            seen[name] = inputs[0]

        return hook

    hooks = [module.register_forward_pre_hook(keep(name)) for name, module in places.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def through(
    run: Run, network: Any, batches: list[Batch], after: Callable[[], None], *, gradients: bool = False
) -> float:
    """Every row through the model, ``after`` called after each batch; returns the mean loss per token, in
    nats.

    With ``gradients`` each row's own mean loss is taken back to its activations, whatever rows share its
    batch; the weights get none.
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
