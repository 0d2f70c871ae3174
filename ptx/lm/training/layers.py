"""Make a model from some of the layers of another, to start a student (DistilBERT, Sanh et al. 2019).

The result is an ordinary model of the same architecture: its configuration states the number of layers, so
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
    """The numbers of ``wanted`` layers out of ``count``: the first, the last, and others evenly between.

    6 of 12 layers are 0 2 4 7 9 11, as in Sanh et al.
    """
    if wanted == 1:
        return [0]
    return [round(place * (count - 1) / (wanted - 1)) for place in range(wanted)]


def with_layers(network: PreTrainedModel, kept: Sequence[int]) -> PreTrainedModel:
    """A new model with the layers ``kept`` of ``network``, in this order, and all parameters outside layers.

    Raises:
        StepError: the names of the parameters do not show a sequence of layers.
    """
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(network.config)
    text = config.get_text_config()
    count = text.num_hidden_layers
    for name, value in text.to_dict().items():  # layer_types and other lists with one entry per layer
        if isinstance(value, list) and len(value) == count and "layer" in name:
            setattr(text, name, [value[layer] for layer in kept])
    text.num_hidden_layers = len(kept)
    made: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=network.dtype)
    state = _renamed(network.state_dict(), {layer: place for place, layer in enumerate(kept)})
    different = made.state_dict().keys() ^ state.keys()
    if different:
        raise StepError(
            f"{type(network).__name__} cannot be built with fewer layers: {', '.join(sorted(different)[:3])}"
            " would be left over or missing"
        )
    made.load_state_dict(state)
    made.generation_config = copy.deepcopy(network.generation_config)
    return made.train(network.training).to(network.device)


def _renamed(state: dict[str, Any], places: dict[int, int]) -> dict[str, Any]:
    """The parameters of the layers in ``places`` under their new numbers; others keep their names."""
    found = {}
    for name, tensor in state.items():
        layer = LAYER.match(name)
        if layer is None:
            found[name] = tensor
        elif int(layer["layer"]) in places:
            found[f"{layer['before']}{places[int(layer['layer'])]}{layer['after']}"] = tensor
    return found
