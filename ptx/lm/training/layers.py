"""A model with fewer layers, made of another one's: the way a student is begun (DistilBERT, Sanh et al.
2019).

The result is a plain model of the same architecture: the configuration says how many layers there are, so
``from_pretrained`` loads it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ptx.errors import StepError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: ``model.layers.3.mlp...``, ``transformer.h.3.attn...``: the first number in a parameter's name is its layer
LAYER = re.compile(r"^(?P<before>[^0-9]*\.)(?P<layer>\d+)(?P<after>\..+)$")


def evenly_spaced_layers(count: int, wanted: int) -> list[int]:
    """``wanted`` of ``count`` layers, the first and the last among them and the others evenly between; 12 ->
    6: 0 2 4 7 9 11, as Sanh et al.
    """
    if wanted == 1:
        return [0]
    return [round(place * (count - 1) / (wanted - 1)) for place in range(wanted)]


def with_layers(network: PreTrainedModel, kept: Sequence[int]) -> PreTrainedModel:
    """A new model that has the layers ``kept`` of ``network``, in this order, and everything beside the
    layers.

    Raises:
        StepError: the architecture has no row of layers that can be told from the names of its parameters.
    """
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(network.config)
    text = config.get_text_config()
    count = text.num_hidden_layers
    for name, value in text.to_dict().items():  # layer_types and other lists with an entry per layer
        if isinstance(value, list) and len(value) == count and "layer" in name:
            setattr(text, name, [value[layer] for layer in kept])
    text.num_hidden_layers = len(kept)
    made: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=network.dtype)
    state = _renamed(network.state_dict(), {layer: place for place, layer in enumerate(kept)})
    lacking = made.state_dict().keys() ^ state.keys()
    if lacking:
        raise StepError(
            f"{type(network).__name__} cannot be made of fewer layers: {', '.join(sorted(lacking)[:3])} would"
            " be left over or missing"
        )
    made.load_state_dict(state)
    made.generation_config = copy.deepcopy(network.generation_config)
    return made.train(network.training).to(network.device)


def _renamed(state: dict[str, Any], places: dict[int, int]) -> dict[str, Any]:
    """The parameters of the layers in ``places`` under their new numbers; what belongs to no layer stays as
    it is.
    """
    found = {}
    for name, tensor in state.items():
        layer = LAYER.match(name)
        if layer is None:
            found[name] = tensor
        elif int(layer["layer"]) in places:
            found[f"{layer['before']}{places[int(layer['layer'])]}{layer['after']}"] = tensor
    return found
