"""Forward and backward passes of a training: what is computed for nothing is left out.

The rows of an optimizer step, their weights and the loss stay those of TRL. Two things change how it is
computed, and so nothing but the last digits.

*Short passes.* A batch is padded to its longest row; with GSM8K's lengths and 16 rows that is half of all
tokens. Here the rows of a step are sorted by length and go through the model in passes of a few hundred
tokens, each padded to its own longest row. The gradients of the passes add up to that of the step, since
the loss of a row is divided by the number of tokens in the whole step.

*A short head.* TRL's fused output layer scores only places with a label on a GPU with Triton, and every
place elsewhere, for the sake of devices that compile each shape anew. A CPU does not, and with a vocabulary
of 49,000 words the output layer of questions and padding is a quarter of a small model's work. TRL's tiles
of 32,768 words are made for GPUs: on a CPU the seven tensors of a tile, in torch's operations, go through the
memory one by one. Tiles that stay in the cache take less than half of the time, and next to no memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ptx.config import Speed
from ptx.lm.progress import replaced
from ptx.lm.training.distributed import ranks
from ptx.lm.training.memory import TILE_WORDS
from ptx.lm.training.trl_args import trl_class


@contextlib.contextmanager
def short_head(tiles_of: str | None = None, *, wanted: bool = True) -> Iterator[None]:
    """TRL's fused output layer computes only places with a label, and in tiles that suit a device.

    Without ``tiles_of`` the tiles are TRL's, and every digit with them.
    """
    if not wanted:
        yield
        return
    from trl.trainer import utils

    words = TILE_WORDS.get(tiles_of or "", utils._CHUNKED_LOGPROB_CHUNK_SIZE)  # noqa: SLF001
    with (
        replaced(utils, "_use_triton", lambda _device: True),  # there it decides nothing else
        replaced(utils, "_CHUNKED_LOGPROB_CHUNK_SIZE", words),
    ):
        yield


def pass_rows(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """The places of the rows of each pass: the longest first, at least ``tokens`` a pass where there are."""
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    made: list[list[int]] = []
    for place in order:
        if made and len(made[-1]) * lengths[made[-1][0]] < tokens:
            made[-1].append(place)
        else:
            made.append([place])
    return made


def short_passes(batch: dict[str, Any], tokens: int) -> list[dict[str, Any]]:
    """A batch that is padded at its end, in parts of rows of similar length, each cut to its longest row.

    A batch of another form (packed rows, images) stays whole.
    """
    mask = batch.get("attention_mask")
    if mask is None or mask.numel() <= tokens or not all(_is_padded(part, mask) for part in batch.values()):
        return [batch]
    lengths = mask.sum(dim=1).tolist()
    if any(not whole for whole in (mask[:, 0] == 1).tolist()):  # padded at the beginning
        return [batch]
    parts = []
    for rows in pass_rows(lengths, tokens):
        places, width = torch.tensor(rows, device=mask.device), max(lengths[rows[0]], 1)
        parts.append({name: part[places, :width].contiguous() for name, part in batch.items()})
    return parts


def _is_padded(part: Any, mask: Tensor) -> bool:
    return isinstance(part, Tensor) and part.shape == mask.shape


def trainer_with_short_passes(kind: str, speed: Speed, device: str) -> type:
    """TRL's trainer ``kind``, or a subclass whose steps go through the model in short passes.

    With several ranks it is TRL's: all of them have to make the same number of passes.
    """
    base: Any = trl_class(kind)
    tokens = speed.tokens_of_a_pass(device)
    if not tokens or ranks() > 1:
        trainer: type = base
        return trainer

    class WithShortPasses(base):  # type: ignore[misc]
        """TRL's trainer, whose loss is a sum over rows divided by the labels of the whole step."""

        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
            if num_items_in_batch is None:  # a mean of each pass, which does not add up
                found: Tensor = super().training_step(model, inputs, num_items_in_batch)
                return found
            losses = [
                super(WithShortPasses, self).training_step(model, part, num_items_in_batch)
                for part in short_passes(inputs, tokens)
            ]
            return torch.stack(losses).sum()

    WithShortPasses.__name__ = kind
    return WithShortPasses
