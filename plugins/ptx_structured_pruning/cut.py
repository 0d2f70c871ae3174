"""The smaller tensors, and the config that fits them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ptx_structured_pruning.layout import NORMS, Sizes
from ptx_structured_pruning.masks import Kept
from ptx_structured_pruning.solver import components

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

State = dict[str, Tensor]


def config_without_layers(config: PreTrainedConfig, gone: list[int]) -> dict[str, Any]:
    """Return the changed config fields: the number of layers, and every list with one entry per layer.

    Such lists are ``layer_types``, ``no_rope_layers``, ...
    """
    total = config.num_hidden_layers
    lists = {
        name: value
        for name, value in config.to_dict().items()
        if isinstance(value, list) and len(value) == total
    }
    kept = {
        name: [entry for layer, entry in enumerate(value) if layer not in gone]
        for name, value in lists.items()
    }
    return {"num_hidden_layers": total - len(gone), **kept}


def state_without_layers(state: State, total: int, gone: list[int]) -> State:
    """Return the tensors of the remaining layers, renumbered."""
    stay = [layer for layer in range(total) if layer not in gone]
    number = {str(old): str(new) for new, old in enumerate(stay)}
    made = {}
    for name, tensor in state.items():
        found = re.match(r"model\.layers\.(\d+)\.(.+)", name)
        if found is None:
            made[name] = tensor
        elif found[1] in number:
            made[f"model.layers.{number[found[1]]}.{found[2]}"] = tensor
    return made


def config_of(sizes: Sizes, before: Sizes, eps: float) -> dict[str, Any]:
    """Return the changed config fields. head_dim is written out, because it is no longer hidden_size / heads.

    A removed channel would have been zero and still counted in the mean square of an RMS norm: x / sqrt(sum /
    d + eps). The smaller norm divides by d', so eps grows by d / d' and the norm's weights by the root of d /
    d' (:func:`state_of`). The smaller norm then returns what the larger one returned.
    """
    changed = {
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.ffn,
        "num_attention_heads": sizes.groups * sizes.heads,
        "num_key_value_heads": sizes.groups,
        "head_dim": sizes.head_dim,
    }
    return changed | (
        {"rms_norm_eps": eps * before.hidden / sizes.hidden} if sizes.hidden != before.hidden else {}
    )


def state_of(network: PreTrainedModel, kept: Kept, before: Sizes) -> State:
    """Return the tensors reduced to the kept units, contiguous.

    An output layer tied to the embeddings is left out, as it is on disk.
    """
    hidden = kept.hidden
    ratio = math.sqrt(before.hidden / len(hidden))
    shift = 1.0 if _one_plus(network) else 0.0
    # Gemma multiplies embeddings by the root of hidden_size
    scaled = hasattr(network.get_input_embeddings(), "embed_scale")
    made: State = {}
    for name, tensor in network.state_dict().items():
        if name == "lm_head.weight":
            if not network.config.tie_word_embeddings:
                made[name] = tensor[:, hidden].clone()
        elif name == "model.embed_tokens.weight":
            made[name] = tensor[:, hidden] * (ratio if scaled else 1.0)
        elif name == "model.norm.weight":
            tied_scale = ratio if scaled and network.config.tie_word_embeddings else 1.0
            made[name] = _norm(tensor[hidden], ratio / tied_scale, shift)
        else:
            made[name] = _of_layer(name, tensor, kept, before, ratio, shift)
    return made


def _norm(weight: Tensor, factor: float, shift: float) -> Tensor:
    """Return the weight w of a norm that multiplies by (shift + w), multiplied by ``factor``."""
    return ((weight.float() + shift) * factor - shift).to(weight.dtype)


def _one_plus(network: PreTrainedModel) -> bool:
    """Return whether the norms multiply by (1 + weight), as Gemma's do."""
    return "gemma" in str(network.config.model_type)


def _of_layer(name: str, tensor: Tensor, kept: Kept, before: Sizes, factor: float, shift: float) -> Tensor:
    found = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
    assert found is not None  # the layout has been checked
    layer, module = int(found[1]), found[2].rpartition(".")[2]
    if module in NORMS:
        return _norm(tensor[kept.hidden], factor, shift)
    queries = components(kept.heads[layer], before.head_dim)
    keys = components(kept.groups[layer], before.head_dim)
    rows = {
        "q_proj": queries,
        "k_proj": keys,
        "v_proj": keys,
        "gate_proj": kept.ffn[layer],
        "up_proj": kept.ffn[layer],
    }
    columns = {"o_proj": queries, "down_proj": kept.ffn[layer]}
    if module in ("q_norm", "k_norm"):  # within a head
        return tensor.clone()
    if found[3] == "bias":
        return tensor[rows.get(module, kept.hidden)].clone()
    return tensor[rows.get(module, kept.hidden)][:, columns.get(module, kept.hidden)].contiguous()
