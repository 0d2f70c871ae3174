"""Every weight matrix as a linear layer: what llm-compressor can prune and quantise, and the way back.

transformers holds the experts of a mixture as 3-dimensional parameters. llm-compressor replaces them by a
linear layer per projection and expert; its own way back mixes up the alternating columns of GPT-OSS, so the
inventory of matrices says where each projection belongs. GPT-2's ``Conv1D`` is a linear layer with a
transposed weight. A pruned model is put back into its own form before it is saved. A quantised one is saved
as it is, under the names that the architecture's checkpoints have: transformers unpacks every expert while it
loads, provided that all of them have one format.
"""

from __future__ import annotations

import copy
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.lm.matrices import EXPERTS, Matrix, changeable

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel


#: a tensor of one expert among the patterns of transformers' conversions: ``.experts.*.w1.weight``
EXPERT_PART = re.compile(r"experts\.\*\.(\w+)\.weight")


def as_linear_layers(network: PreTrainedModel) -> None:
    """Replace experts and ``Conv1D`` of ``network`` by linear layers, in place.

    Raises:
        StepError: llm-compressor does not know experts of this kind.
    """
    from transformers.pytorch_utils import Conv1D

    unpack_experts(network)
    for name, module in list(network.named_modules()):
        if isinstance(module, Conv1D):
            network.set_submodule(name, _turned(module, Conv1D))


def unpack_experts(network: PreTrainedModel) -> None:
    """Replace the experts of ``network`` by linear layers, in place.

    Raises:
        StepError: llm-compressor does not know experts of this kind.
    """
    shells = {one.name.rpartition(".")[0]: _shell(one.module) for one in expert_stacks(network)}
    if shells:
        from llmcompressor.modeling.moe.linearize import linearize_moe

        for stack in expert_stacks(network):
            if type(stack.module).__name__ == "Llama4TextExperts" and not hasattr(
                network.config, "text_config"
            ):
                # the library asks for the part of a configuration that a model without images is alone
                stack.module.config = SimpleNamespace(text_config=network.config)  # type: ignore[assignment]
        linearize_moe(network)
    for name, shell in shells.items():
        made: Any = network.get_submodule(name)
        made.stacked_form = (shell,)  # in a tuple: it is no part of the network
    if left := expert_stacks(network):
        raise StepError(
            f"llm-compressor has no linear layers for experts of the kind {type(left[0].module).__name__}"
            f" ({left[0].name}); prune the model instead: compress=[magnitude]"
        )


def back_to_own_form(network: PreTrainedModel) -> None:
    """Undo :func:`as_linear_layers`, with the weights as they are now."""
    pack_experts(network)
    for name, module in list(network.named_modules()):
        if own := getattr(module, "own_form", None):
            network.set_submodule(name, _turned(module, own))


def _shell(module: nn.Module) -> nn.Module:
    """A copy of a module without its weights, which takes no memory."""
    from torch import nn

    made = copy.copy(module)
    made._parameters = {  # noqa: SLF001 (assigning them one by one would change the module, too)
        name: None if weight is None else nn.Parameter(weight.to("meta"), weight.requires_grad)
        for name, weight in module._parameters.items()  # noqa: SLF001
    }
    return made


def unknown_experts(network: PreTrainedModel) -> str:
    """The kind of experts of ``network`` that llm-compressor cannot make linear layers of; empty for none.

    It needs no weights.
    """
    from ptx.lm.load import quiet

    if not (stacks := expert_stacks(network)):
        return ""
    quiet()
    from llmcompressor.modeling.moe.linearize import get_non_linearized_moes

    modules = [stack.module for stack in stacks]
    return next((type(one).__name__ for one in modules if not get_non_linearized_moes(one)), "")


def expert_stacks(network: PreTrainedModel) -> list[Matrix]:
    """The stacks of experts of ``network``."""
    return [one for one in changeable(network).values() if one.role == EXPERTS]


def pack_experts(network: PreTrainedModel) -> None:
    """Undo :func:`unpack_experts`: each projection goes to its place in the stack, weight and bias."""
    import torch

    apart: dict[str, Any] = {n: one for n, one in network.named_modules() if hasattr(one, "stacked_form")}
    for name, layers in apart.items():
        device = next(layers.parameters()).device
        network.set_submodule(name, layers.stacked_form[0].to_empty(device=device))
    with torch.no_grad():
        for stack in expert_stacks(network):
            home, _, attribute = stack.name.rpartition(".")
            bias = getattr(stack.module, f"{attribute}_bias", None)
            for piece in stack.pieces if home in apart else ():
                layer = getattr(apart[home][piece.expert], piece.names[0].rpartition(".")[2])
                piece.of(stack.view).copy_(layer.weight)
                if bias is not None:
                    bias[piece.expert, piece.rows].copy_(layer.bias)


def _turned(module: Any, conv: Any) -> nn.Module:
    """A ``Conv1D`` as a linear layer, or such a linear layer as a ``Conv1D`` again."""
    from torch import nn

    turned = module.weight.detach().T.contiguous()
    if isinstance(module, conv):
        made: Any = nn.Linear(*module.weight.shape, bias=module.bias is not None, device="meta")
        made.own_form = conv
    else:
        made = module.own_form(module.out_features, module.in_features)
    made.weight, made.bias = nn.Parameter(turned), module.bias
    return made


#: an expert's projections as linear layers, by the parameter that they are joined to
JOINED = {"gate_up_proj": ("gate_proj", "up_proj"), "up_proj": ("up_proj",), "down_proj": ("down_proj",)}


def expert_by_expert(model_type: str) -> bool:
    """Whether transformers joins the experts of an architecture from checkpoints that hold each by itself.

    It joins Mixtral's and Qwen's; GPT-OSS's are stacks in its checkpoints, too.
    """
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    entries = get_checkpoint_conversion_mapping(model_type) or []
    return any(EXPERT_PART.search(name) for entry in entries for name in entry.source_patterns)


def name_experts(network: PreTrainedModel) -> None:
    """Let ``network`` with experts as linear layers be saved under the names of its checkpoints.

    transformers knows these names, because it joins the experts from them while loading (Mixtral's ``w1`` and
    ``w3`` become ``gate_up_proj``).
    """
    from transformers.core_model_loading import WeightConverter, WeightRenaming

    own = getattr(network, "_weight_conversions", None) or []
    renamed = [entry for entry in own if not isinstance(entry, WeightConverter)]
    for entry in own:
        if not isinstance(entry, WeightConverter):
            continue
        parameter = str(entry.target_patterns[0]).rpartition(".")[2]
        stored = [found[1] for name in entry.source_patterns if (found := EXPERT_PART.search(name))]
        for part, name in zip(JOINED.get(parameter, ()), stored, strict=False):
            if part != name:
                pattern = rf"\.experts\.(\d+)\.{name}\."
                renamed.append(WeightRenaming(pattern, rf".experts.\1.{part}."))
    network._weight_conversions = renamed  # noqa: SLF001 (transformers has no other way to set it)
