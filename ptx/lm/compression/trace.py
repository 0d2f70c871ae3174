"""How a network's layers hang together, from one forward pass without weights (on the meta device).

Names do not tell what reads the output of a norm: Gemma has four norms per layer, Phi reads one norm in
attention and feed-forward alike, OLMo 2 has its norms behind the layers. A pass shows it, because a tensor
that a norm returns is the very object that its readers get.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ptx.lm.matrices import described, kept

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOKENS = 8


@dataclass(frozen=True)
class Trace:
    """What one forward pass showed, by names of modules.

    ``called``: linear layers that were called (Mamba reads the weight of some instead). ``readers``: a norm
    -> the linear layers that read its output; only norms whose output nothing else with weights reads.
    ``normed``: linear layers whose output is normed before it is used.
    """

    called: set[str] = field(default_factory=set)
    readers: dict[str, list[str]] = field(default_factory=dict)
    normed: set[str] = field(default_factory=set)


def trace_of(folder: Path) -> Trace | None:
    """The trace of the model that ``config.json`` in ``folder`` describes; None where it cannot be traced."""
    network = described(folder)
    return None if network is None else _traced(network)


@functools.lru_cache(maxsize=8)
def _traced(network: PreTrainedModel) -> Trace | None:
    ids = torch.zeros(1, TOKENS, dtype=torch.long, device="meta")
    # a mask that is ready: making one would look at values, which a tensor without data has not
    mask = torch.ones(1, 1, TOKENS, TOKENS, dtype=torch.bool, device="meta")
    for options in ({"attention_mask": mask}, {}):
        try:
            with _Watch(network).hooked() as watch, torch.no_grad():
                network(input_ids=ids, use_cache=False, **options)
        except (RuntimeError, ValueError, TypeError, NotImplementedError, AttributeError, IndexError):
            continue
        return watch.trace()
    return None


def uncalled_layers(folder: Path, skip: Sequence[str]) -> list[str]:
    """The last parts of the names of linear layers that the model of a folder never calls."""
    trace, network = trace_of(folder), described(folder)
    if trace is None or network is None:
        return []
    return sorted(
        {
            name.rpartition(".")[2]
            for name, one in kept(network, skip).items()
            if isinstance(one.module, nn.Linear) and name not in trace.called
        }
    )


def read_by_code(network: nn.Module) -> set[str]:
    """The linear layers whose weight the model's own code reads, by name.

    A layer's parent may read it (``self.dt_proj.weight``), or a module further up, which goes through its
    blocks (RWKV's ``block.attention.output.weight``). Such a layer must have a weight: where it is packed,
    the model cannot even be loaded.
    """
    by_kind = {kind: _weights_in_code(kind) for kind in {type(module) for module in network.modules()}}
    found = set()
    for name, module in network.named_modules():
        parts = name.split(".")
        if isinstance(module, nn.Linear) and any(
            read == ".".join(parts[place:]) or ("." in read and name.endswith(f".{read}"))
            for place in range(len(parts))
            for read in by_kind[type(network.get_submodule(".".join(parts[:place])))]
        ):
            found.add(name)
    return found


def _weights_in_code(kind: type) -> frozenset[str]:
    """The modules whose weight the code of a class reads: paths from a name of the code on."""
    try:
        return frozenset(re.findall(r"\.((?:\w+\.)*\w+)\.weight\b", inspect.getsource(kind)))
    except (OSError, TypeError):
        return frozenset()  # a class without a file


class _Watch:
    """Hooks on every module: who made a tensor, and who got it."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.called: set[str] = set()
        self.made: dict[int, str] = {}  # id of a tensor -> the norm or linear layer that made it
        self.read: dict[str, list[str]] = defaultdict(list)  # norm -> all modules with weights that got it
        self.normed: set[str] = set()
        self.alive: list[Tensor] = []  # an id belongs to one tensor only while that exists

    @contextmanager
    def hooked(self) -> Iterator[_Watch]:
        """Watch while the context is open."""
        hooks = []
        for name, module in self.network.named_modules():
            if not name:
                continue
            hooks.append(module.register_forward_pre_hook(self._before(name, module), with_kwargs=True))
            if is_norm(module) or isinstance(module, nn.Linear):
                hooks.append(module.register_forward_hook(self._after(name)))
        try:
            yield self
        finally:
            for hook in hooks:
                hook.remove()

    def _before(self, name: str, module: nn.Module) -> Any:
        weighs = any(weight.dim() > 1 for weight in module.parameters())

        def hook(_module: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
            self.called.add(name)
            for tensor in (*inputs, *options.values()):
                maker = self.made.get(id(tensor))
                if maker is None:
                    continue
                if is_norm(module) and isinstance(self.network.get_submodule(maker), nn.Linear):
                    self.normed.add(maker)
                elif weighs:
                    self.read[maker].append(name)

        return hook

    def _after(self, name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                self.made[id(output)] = name
                self.alive.append(output)

        return hook

    def trace(self) -> Trace:
        """What was seen."""
        linear = {name for name, module in self.network.named_modules() if isinstance(module, nn.Linear)}
        readers = {}
        for maker, names in self.read.items():
            found = [name for name in dict.fromkeys(names) if name in linear]
            # a block that got the tensor, and no linear layer inside it: it does something else with it
            others = [
                name
                for name in names
                if name not in linear and not any(one.startswith(f"{name}.") for one in found)
            ]
            if maker not in linear and found and not others:
                readers[maker] = found
        return Trace(self.called & linear, readers, self.normed)


def is_norm(module: nn.Module) -> bool:
    """Whether the module is a normalisation with a weight."""
    weight = getattr(module, "weight", None)
    return "norm" in type(module).__name__.lower() and isinstance(weight, Tensor) and weight.dim() == 1
