"""``torch.compile`` while a model trains, layer by layer.

A whole model takes minutes to compile, and again for another shape of a batch. Its layers are alike, so the
code of the first one serves all of them, and with sizes left open it serves every length. What is around the
layers (rows that begin alike, the output layer) decides by the numbers in a batch and stays as it is, and so
does what needs no gradient: sampling, whose cache is another size at every token, and the reference.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from ptx.lm.progress import replaced


@contextlib.contextmanager
def compiled(model: nn.Module, *, wanted: bool) -> Iterator[None]:
    """Inside, the layers of a model are compiled where a gradient is asked for.

    The layers are the parts whose activations could be checkpointed.
    """
    if not wanted:
        yield
        return
    from transformers.modeling_layers import GradientCheckpointingLayer

    with contextlib.ExitStack() as stack:
        for part in model.modules():
            if isinstance(part, GradientCheckpointingLayer):
                stack.enter_context(replaced(part, "forward", _for_gradients(part.forward)))
        yield


def _for_gradients(forward: Callable[..., Any]) -> Callable[..., Any]:
    quick = torch.compile(forward, dynamic=True)

    @functools.wraps(forward)
    def either(*args: Any, **given: Any) -> Any:
        return (quick if torch.is_grad_enabled() else forward)(*args, **given)

    return either
