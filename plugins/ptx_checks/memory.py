"""A model's predictions on a fixed batch at the moment it is saved, whoever saves it.

While a step runs, ``PreTrainedModel.save_pretrained`` is a data descriptor. Unlike a plain function it also
catches calls on instances that have a ``save_pretrained`` of their own, which llm-compressor puts there, and
it runs before the weights are packed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ptx.lm.drift import evaluating
from ptx.models.sizes import context_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ROWS, LENGTH = 4, 48  # the probe's size, in tokens
SEED = 20240229


def probe(vocabulary: int, limit: int | None = None) -> Tensor:
    """Return the fixed batch: random token ids, (4, 48), or shorter where the context is shorter."""
    length = min(LENGTH, limit or LENGTH)
    return torch.randint(vocabulary, (ROWS, length), generator=torch.Generator().manual_seed(SEED))


def log_probabilities(network: PreTrainedModel) -> Tensor:
    """Return the log-probabilities on the probe, (4, T, V), float32 on the CPU.

    All rows have one length and are computed in one pass, so there is no padding.
    """
    config = network.config.get_text_config()
    ids = probe(config.vocab_size, context_of(config)).to(network.device)
    with torch.no_grad(), evaluating(network), undisturbed(network):
        return network(input_ids=ids, use_cache=False).logits.float().cpu().log_softmax(-1)


@contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """While the context is open, activations are not quantised dynamically.

    Dynamic ranges depend on nothing that is stored. In 4 bits they turn the last bit of a 16-bit sum into a
    jump, so two identical models would differ. Stored (static) ranges stay in force.
    """
    schemes = {
        id(module.quantization_scheme): module.quantization_scheme
        for module in network.modules()
        if hasattr(module, "quantization_scheme")
    }
    dynamic = [
        (scheme, scheme.input_activations)
        for scheme in schemes.values()
        if getattr(scheme.input_activations, "dynamic", False)
    ]
    for scheme, _ in dynamic:
        scheme.input_activations = None
    try:
        yield
    finally:
        for scheme, activations in dynamic:
            scheme.input_activations = activations


class Watched:
    """A replacement for ``save_pretrained`` that records the model's predictions before it is saved."""

    def __init__(self, original: Callable[..., Any], ignoring: Path) -> None:
        self.original, self.ignoring = original, ignoring.resolve()
        self.saved: dict[Path, Tensor] = {}
        self.busy = False

    def __get__(self, network: Any, owner: type | None = None) -> Any:
        if network is None:
            return self.original
        inner = network.__dict__.get("save_pretrained") or MethodType(self.original, network)

        @functools.wraps(inner)
        def save_pretrained(_: Any, save_directory: Any, *args: Any, **options: Any) -> Any:
            outermost, self.busy = not self.busy, True
            try:
                if outermost:
                    self.note(network, Path(save_directory).resolve())
                return inner(save_directory, *args, **options)
            finally:
                self.busy = not outermost

        return MethodType(save_pretrained, network)

    def __set__(self, network: Any, value: Any) -> None:
        network.__dict__["save_pretrained"] = value

    def note(self, network: PreTrainedModel, folder: Path) -> None:
        """Record the predictions of ``network``, unless ``folder`` is a checkpoint of the step."""
        if not folder.is_relative_to(self.ignoring):
            self.saved[folder] = log_probabilities(network)


@contextmanager
def watched(ignoring: Path) -> Iterator[dict[Path, Tensor]]:
    """While the context is open, record the log-probabilities of every model that is saved, by folder.

    Folders below ``ignoring`` are left out.
    """
    from transformers import PreTrainedModel

    stand_in = Watched(PreTrainedModel.save_pretrained, ignoring)
    PreTrainedModel.save_pretrained = stand_in  # type: ignore[method-assign,assignment]
    try:
        yield stand_in.saved
    finally:
        PreTrainedModel.save_pretrained = stand_in.original  # type: ignore[method-assign]
