"""What an algorithm cannot do on an architecture, found before the run from config.json alone.

The layers, and what reads what, come from the model without weights (``ptx.lm.matrices.described``,
``ptx.lm.compression.trace``). The library's own resolution of an algorithm's layers runs on it too, so what
would fail in the middle of the run fails here. Building it imports the libraries, which takes seconds; for
the architectures in PLAIN and KNOWN there is nothing to find (a test builds each of them and looks), so
nothing is imported for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import Problem
from ptx.guard.patterns import found_in
from ptx.lm.compression.targets import linear_layers
from ptx.lm.matrices import PLAIN, model_type
from ptx_quant.mixed import Mixed
from ptx_quant.settings import AWQ, AutoRound, Quantizer, SmoothQuant, SpinQuant, Transformed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: algorithm -> model types on which it resolves; the rotations of SpinQuant depend on sizes too
KNOWN = {
    "smoothquant": tuple(kind for kind in PLAIN if kind not in ("olmo", "olmo2")),
    "awq": ("llama", "mistral", "qwen2", "qwen3", "granite"),
    "spinquant": (),
}
AUTOROUND_UNIT = 32
PRUNE = "prune it instead: compress=[sparsegpt]"
INSTEAD = "use compress=[gptq] or compress=[rtn]"


def architecture_problems(step: Quantizer, model: Path) -> list[Problem]:
    """Report why ``step`` cannot work on the architecture of the model in a folder."""
    kind, name = model_type(model), type(step).__name__.lower()
    if kind in PLAIN and (not isinstance(step, Transformed) or kind in KNOWN[name]):
        return []
    from ptx.lm.matrices import described

    network = described(model)
    if network is None:
        return []
    found = list(_layer_problems(step, network, model))
    if isinstance(step, Transformed) and all(fix.startswith("add ") for _, fix in found):
        # what no further setting mends is said alone
        found = transform_problems(step, network, model) or found
    return [Problem(f"compress=[{name}] on {kind}: {what}", fix) for what, fix in found]


def _layer_problems(step: Quantizer, network: PreTrainedModel, model: Path) -> Any:
    """Yield (what, fix) for matrices that this step could not quantise, or nobody could read back."""
    from torch import nn

    from ptx.lm.compression.trace import read_by_code, trace_of
    from ptx.lm.matrices import EXPERTS, changeable, kept

    if _loads_whole_layers(network):
        yield "transformers reads the weight of each of its layers as it loads it", PRUNE
        return
    decoders = set(network._no_split_modules or ())  # noqa: SLF001 (there is no public way to ask)
    kinds = {type(module).__name__ for module in network.modules()} & decoders
    if isinstance(step, AutoRound) and len(kinds) > 1:
        # Mamba's block and the mixer in it; the library fails in the middle of the run
        yield (
            f"AutoRound learns decoder layers of one kind, and there are {', '.join(sorted(kinds))}",
            INSTEAD,
        )
        return
    layers = kept(network, step.skip)
    experts = [one for one in layers.values() if one.role == EXPERTS and one.chosen is None]
    # compressed-tensors goes by the class: Falcon's linear layers are of its own, and are not read back
    plain = {n for n, one in layers.items() if type(one.module) is nn.Linear}
    other = sorted(name for name, one in layers.items() if name not in plain and one.role != EXPERTS)
    if other:
        what = f"{len(other)} of its {len(layers)} layers are {type(layers[other[0]].module).__name__}"
        yield f"{what}, which compressed-tensors cannot pack", PRUNE
    trace = trace_of(model)
    uncalled = plain - trace.called if trace is not None else set()
    if unread := sorted(uncalled | (plain & read_by_code(network))):
        parts = sorted({n.rpartition(".")[2] for n in unread})
        what = f"the model reads the weight of {', '.join(parts)} itself, so it cannot be packed"
        uneven = {name: one for name, one in uneven_layers(step, model).items() if name not in unread}
        if uneven:
            what += f"; {len(uneven)} other layers have a side that {AUTOROUND_UNIT} does not divide"
        parts = sorted({*step.skip, *parts, *(name.rpartition(".")[2] for name in uneven)})
        yield what, f"add {step.at('skip')}=[{','.join(parts)}]"
    if experts or any(one.role == EXPERTS for one in changeable(network).values()):
        yield from _expert_problems(step, len(experts), network)


def _loads_whole_layers(network: PreTrainedModel) -> bool:
    """Whether a layer without a weight stops transformers as it loads the model, as RWKV's does."""
    from torch import nn

    packed = nn.Linear(1, 1, device="meta")
    del packed.weight
    try:
        network._init_weights(packed)  # noqa: SLF001 (transformers calls it for every module)
    except AttributeError as error:
        return "'weight'" in str(error)
    return False


def uneven_layers(step: Quantizer, model: Path) -> dict[str, tuple[int, ...]]:
    """Return the layers, with their shapes, that AutoRound leaves out without a word for a side of theirs."""
    if not isinstance(step, AutoRound):
        return {}
    return {
        name: shape
        for name, shape in linear_layers(model).items()
        if "lm_head" not in name
        and not found_in(step.skip, name)
        and any(side % AUTOROUND_UNIT for side in shape)
    }


def _expert_problems(step: Quantizer, asked: int, network: PreTrainedModel) -> Any:
    """Yield (what, fix): transformers reads experts that are all packed integers of one symmetric format."""
    from ptx.lm.compression.linear import expert_by_expert, unknown_experts
    from ptx.lm.compression.targets import instead_for_experts
    from ptx.lm.matrices import EXPERTS, changeable

    experts = [one for one in changeable(network).values() if one.role == EXPERTS]
    if isinstance(step, Transformed | AutoRound | Mixed):
        yield "it does not know the experts of a mixture", instead_for_experts(str(network.config.model_type))
        return
    if asked < len(experts):
        skipped = f"{len(experts) - asked} of {len(experts)} stacks of experts are skipped, whole or in part"
        yield (
            f"{skipped}, and transformers reads all of them packed or none",
            f"leave the experts out of {step.at('skip')}",
        )
    if not (step.symmetric and step.format.weights_alone):
        own = f"scheme={step.scheme}" if step.scheme else "symmetric=false"
        yield (
            f"transformers reads experts as packed symmetric integers alone, not {own}",
            f"use {step.at('scheme')}=w4a16" if step.scheme else f"leave out {step.at('symmetric')}",
        )
    if not expert_by_expert(str(network.config.model_type)):
        what = "transformers reads its experts in stacks alone, so packed ones could not be read back"
        yield what, "prune it: compress=[magnitude]"
    if kind := unknown_experts(network):
        yield f"llm-compressor does not know its experts ({kind})", "prune it: compress=[magnitude]"


def transform_problems(step: Transformed, network: PreTrainedModel, model: Path) -> list[tuple[str, str]]:
    """Return (what, fix) for a change of coordinates that this architecture does not allow."""
    from ptx.lm.compression.trace import trace_of

    trace = trace_of(model)
    if trace is None:
        return [("ptx could not find out what reads the output of its norms", INSTEAD)]
    if isinstance(step, SmoothQuant):
        what = "no norm of it is read by linear layers alone, so outliers cannot be moved into weights"
        return [] if trace.readers else [(what, INSTEAD)]
    if isinstance(step, SpinQuant) and trace.normed:
        parts = ", ".join(sorted({name.rpartition(".")[2] for name in trace.normed}))
        return [(f"the outputs of {parts} are normed, and a norm's weights cannot be rotated", INSTEAD)]
    norms = [network.get_submodule(name) for name in trace.readers]
    if isinstance(step, SpinQuant) and any(getattr(norm, "bias", None) is not None for norm in norms):
        return [("its norms have a bias, which llm-compressor loses when it rotates", INSTEAD)]
    what = _unresolved(step, network, trace.readers)
    return [(what, INSTEAD)] if what else []


def _unresolved(step: Transformed, network: PreTrainedModel, readers: Mapping[str, list[str]]) -> str:
    """Return why the library cannot resolve AWQ's or SpinQuant's layers; empty where it can."""
    try:
        resolved = _resolve_awq(network) if isinstance(step, AWQ) else _resolve_spinquant(step, network)
    except (ValueError, NotImplementedError, RuntimeError, KeyError, AttributeError, TypeError) as error:
        return f"llm-compressor does not know its layers ({_short(error)})"
    wrong = [norm for norm, names in resolved if norm in readers and {*names} != {*readers[norm]}]
    if wrong:
        read = ", ".join(sorted({one.rpartition(".")[2] for one in readers[wrong[0]]}))
        return f"llm-compressor would change {wrong[0]} for other layers than read it ({read})"
    return "" if resolved else "llm-compressor finds none of the layers that it changes"


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else text[:157] + "..."


def _resolve_awq(network: PreTrainedModel) -> list[tuple[str, list[str]]]:
    """Resolve AWQ's layers on the model without weights: (norm or layer, the layers that read it)."""
    from llmcompressor.modifiers.transform import AWQModifier
    from llmcompressor.modifiers.transform.awq.dynamic_mappings import get_layer_mappings_from_model

    modifier = AWQModifier(mappings=get_layer_mappings_from_model(network))
    marked = [module for module in network.modules() if type(module).__name__ == "Linear"]
    for module in marked:  # it changes only what is to be quantised
        module.quantization_scheme = None  # type: ignore[assignment]
    try:
        modifier._set_resolved_mappings(network)  # noqa: SLF001 (there is no public way to ask)
        return [(one.smooth_name, one.balance_names) for one in modifier._resolved_mappings]  # noqa: SLF001
    finally:
        for module in marked:
            del module.quantization_scheme


def _resolve_spinquant(step: Any, network: PreTrainedModel) -> list[tuple[str, list[str]]]:
    """Rotate a copy of the model without weights: (norm, the layers that it is fused into)."""
    import copy

    import torch
    from compressed_tensors.utils import match_modules_set
    from llmcompressor.core import State
    from llmcompressor.modifiers.transform import SpinQuantModifier
    from torch.utils._pytree import tree_leaves

    from ptx_quant.modifiers import rotated_sizes, rotation

    turned = copy.deepcopy(network)
    names = {module: name for name, module in turned.named_modules()}
    modifier = SpinQuantModifier(**{**rotation(step, rotated_sizes(network.config)), **step.args})
    state = State(model=turned)
    modifier.on_initialize(state)
    fused = [
        (names[norm[0]], [names[one] for one in tree_leaves(linears)])
        for mapping in modifier.norm_mappings
        for norm, *linears in match_modules_set(turned, (mapping.norm, *mapping.linears))
    ]
    with torch.no_grad():
        modifier.on_calibration_start(state, None)
    return fused
