"""What happens between two tokens: noise, stop strings, the clock.

All are plain callables with the signatures that transformers' ``generate`` expects.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ptx.lm.serving.decoding import Noise, Stops


def perturbed(scores: Tensor, noise: Noise, rows: Sequence[int] | None = None) -> Tensor:
    """The scores (B, V) with temperature and noise; their argmax is a draw from the softmax.

    ``rows`` are the places of the scores' rows in the noise, by default all.
    """
    drawn = torch.from_numpy(noise.draw(scores.shape[1], rows))
    return scores.double() / noise.temperature + drawn.to(scores.device)


class Gumbel:
    """Turn argmax into sampling: argmax(scores / temperature + Gumbel noise) is a draw from the softmax.

    ``rows`` are the places of the batch's rows in the noise.
    """

    def __init__(self, noise: Noise, rows: Sequence[int]) -> None:
        self.noise, self.rows = noise, rows

    # the signature is transformers'
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return ``scores`` (B, V) with noise added, each row's from its own generator."""
        return perturbed(scores, self.noise, self.rows)


class StopAt:
    """End a row as soon as its new text contains a stop string."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], start: int) -> None:
        self.stops, self.start = Stops(tokenizer, stop), start

    # the signature is transformers'
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return which rows of ``input_ids`` (B, T) are done, (B,)."""
        new = input_ids[:, max(self.start, input_ids.shape[1] - self.stops.tail) :].tolist()
        return torch.tensor([self.stops.met(ids) for ids in new], device=input_ids.device)


class StopWatch:
    """Record the time of each token; end nothing."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.times: list[float] = []

    def now(self) -> float:
        """Return the seconds on the clock, after the device has finished its work."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    # the signature is transformers'
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Record the time; no row of ``input_ids`` (B, T) is done."""
        self.times.append(self.now())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
