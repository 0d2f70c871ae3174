"""Merge an adapter into the weights of its base, and check that the model still says the same.

Two things go wrong without a word. An adapter on the embedding or on the output matrix of a model that ties
the two (one matrix in two roles) is trained as two changes, and merging adds both to both roles: here such a
model is untied first. And rounding to a dtype of few bits may swallow small changes: so the predictions with
the adapter beside the weights and in them are compared.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError
from ptx.lm.drift import drift, predictions
from ptx.lm.dtypes import STOCHASTIC
from ptx.models.sizes import context_of

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import nn
    from transformers import PreTrainedModel

#: largest mean KL divergence (nats per token) between the model before and after merging, by dtype
LIMITS = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1, "float64": 1e-6}
ROWS, LENGTH, SEED = 2, 24, 20240229  # the probe, in tokens


def merged(network: PreTrainedModel | PeftModel, rounding: str = STOCHASTIC) -> PreTrainedModel:
    """The model with its adapter merged; a model without one is returned as it is.

    Where its weights have few digits they are rounded as ``rounding`` says (:mod:`ptx.lm.rounding`).

    Raises:
        StepError: this kind of adapter cannot be merged, or the merged model predicts something else.
    """
    if not hasattr(network, "peft_config") or not hasattr(network, "get_base_model"):
        return network  # type: ignore[return-value]
    training, name = network.training, str(next(network.parameters()).dtype).removeprefix("torch.")
    network.eval()
    rows = _probe(network)
    before = predictions(network, rows)
    untie(network)
    try:
        add_in_float32(network, rounding)
        with warnings.catch_warnings():  # those that were added in float32 are merged already
            warnings.filterwarnings("ignore", "All adapters are already merged")
            whole: Any = network.merge_and_unload()
    except (ValueError, AttributeError, NotImplementedError) as error:
        kinds = ", ".join(sorted({one.peft_type.value for one in network.peft_config.values()}))
        raise StepError(f"an adapter of the kind {kinds} cannot be merged: {error}") from error
    gap = drift(rows, before, predictions(whole, rows)).kl
    if not gap <= LIMITS.get(name, LIMITS["bfloat16"]):
        raise StepError(
            f"the merged model is not the model with its adapter: they differ by {gap:.3g} nats per token"
            f" (at most {LIMITS.get(name, LIMITS['bfloat16']):g} in {name}); merge in float32, or keep the"
            " adapter beside its base (method.lora.merge=false)"
        )
    made: PreTrainedModel = whole.train(training)
    return made


def add_in_float32(network: PreTrainedModel | PeftModel, rounding: str) -> None:
    """Merge every adapted layer: base and update are added in float32, and the sum is rounded once.

    peft computes the update in the dtype of the adapter, and rounds it before the sum where that is narrow.
    Layers are widened one at a time, so it takes the memory of one. Packed weights are left to peft.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    from ptx.lm.rounding import rounded

    for place, module in enumerate(network.modules()):
        weight = getattr(getattr(module, "base_layer", None), "weight", None)
        if not isinstance(module, BaseTunerLayer) or weight is None or not weight.is_floating_point():
            continue
        narrow = weight.dtype
        module.to(torch.promote_types(narrow, torch.float32))
        module.merge()  # type: ignore[no-untyped-call]
        weight = module.base_layer.weight
        weight.data = rounded(weight.data, narrow, SEED + place, rounding)
        module.to(narrow)


def untie(network: PreTrainedModel | PeftModel) -> None:
    """Give the output a copy of its own of the embedding, where they share it and an adapter changes it."""
    import torch

    embedding, output = network.get_input_embeddings(), network.get_output_embeddings()
    if output is None or not (_is_adapted(embedding) or _is_adapted(output)):
        return
    inner = _plain(output)
    if inner.weight.data_ptr() != _plain(embedding).weight.data_ptr():
        return
    inner.weight = torch.nn.Parameter(inner.weight.detach().clone(), requires_grad=inner.weight.requires_grad)
    base = network.get_base_model() if hasattr(network, "get_base_model") else network
    for config in (base.config, base.config.get_text_config()):
        config.tie_word_embeddings = False
    for module in base.modules():  # where transformers keeps which matrices it stores once
        if getattr(module, "all_tied_weights_keys", None):
            module.all_tied_weights_keys = {}


def _is_adapted(module: nn.Module) -> bool:
    return hasattr(module, "base_layer")


def _plain(module: nn.Module) -> Any:
    return getattr(module, "base_layer", module)


def _probe(network: PreTrainedModel | PeftModel) -> list[list[int]]:
    """Random tokens, (ROWS, LENGTH): a merge has no text of its own."""
    import torch

    config = network.config.get_text_config()
    length = min(LENGTH, context_of(config) or LENGTH)
    generator = torch.Generator().manual_seed(SEED)
    rows: list[list[int]] = torch.randint(config.vocab_size, (ROWS, length), generator=generator).tolist()
    return rows
