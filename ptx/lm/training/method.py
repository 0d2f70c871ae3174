"""The settings that the four TRL methods share, and their checks. Imports no ML library: plugins derive their
config from this.

The words are ptx's, not TRL's: ``batch_size`` is what one optimizer step sees, however it is cut up for
memory (``micro_batch``), and every other TRL argument can be given in ``args``, checked by
:mod:`ptx.lm.training.trl_args`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ptx.config import Method, setting
from ptx.errors import SettingError, did_you_mean, must_be_at_least

SCHEDULERS = ("linear", "cosine", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt")
DTYPES = ("auto", "float32", "bfloat16", "float16")
DEFAULT_LENGTH = 1024


@dataclass
class TrlMethod(Method):
    """A method that a TRL trainer carries out."""

    learning_rate: float = setting(2e-5, "peak learning rate of AdamW")
    epochs: float = setting(1.0, "passes over the data")
    max_steps: int = setting(-1, "optimizer steps; -1: epochs decide")
    batch_size: int = setting(16, "examples per optimizer step")
    micro_batch: int | None = setting(
        None, "examples per forward pass, to save memory; must divide batch_size (default: all of them)"
    )
    warmup: float = setting(
        0.03, "warm-up of the learning rate: a share of all steps below 1, a number of steps from 1 on"
    )
    scheduler: str = setting("linear", f"course of the learning rate: {', '.join(SCHEDULERS)}")
    weight_decay: float = setting(0.0, "weight decay of AdamW")
    dtype: str = setting(
        "auto",
        "of the weights in training; auto: float32, or on a GPU float32 under bfloat16 autocast (LoRA:"
        " bfloat16)",
    )
    keep_zeros: bool = setting(
        True, "weights of linear layers that came as exact zeros stay zero: a pruned model stays pruned"
    )
    checkpoint_every: int = setting(200, "steps between checkpoints for resuming; 0: none", identity=False)
    args: dict[str, Any] = setting(
        {}, "any other argument of the TRL config: method.args={max_grad_norm: 0.5}"
    )

    def __post_init__(self) -> None:
        above(0.0, self, "learning_rate", "1e-5")
        above(0.0, self, "epochs", "1")
        above(0, self, "batch_size", "16")
        at_least(0, self, "warmup", "0.03")
        at_least(0, self, "weight_decay", "0.01")
        at_least(0, self, "checkpoint_every", "200")
        one_of(SCHEDULERS, self, "scheduler")
        one_of(DTYPES, self, "dtype")
        if self.max_steps != -1:
            above(0, self, "max_steps", "100")
        if self.micro_batch is not None and (self.micro_batch < 1 or self.batch_size % self.micro_batch):
            fitting = max(
                size
                for size in range(1, self.batch_size + 1)
                if not self.batch_size % size and size <= max(self.micro_batch, 1)
            )
            raise SettingError(
                f"method.micro_batch must divide method.batch_size={self.batch_size}, got {self.micro_batch};"
                f" try method.micro_batch={fitting}",
                "method.micro_batch",
                "method.batch_size",
            )

    def shares(self, ranks: int = 1) -> tuple[int, int]:
        """(Examples per forward pass, forward passes per optimizer step) for each of ``ranks`` processes; all
        of them make ``batch_size``.
        """
        mine = self.batch_size // ranks
        micro = min(self.micro_batch or mine, mine)
        return micro, mine // micro


def above(bound: float, config: Any, name: str, example: str) -> None:
    """Refuse a field that is not greater than ``bound``."""
    value = getattr(config, name)
    if not value > bound:  # also refuses nan
        what = "positive" if bound == 0 else f"greater than {bound}"
        field = f"method.{name}"
        raise SettingError(f"{field} must be {what}, got {value}; try {field}={example}", field)


def at_least(bound: float, config: Any, name: str, example: str) -> None:
    """Refuse a field below ``bound``."""
    must_be_at_least(f"method.{name}", getattr(config, name), bound, example)


def one_of(known: tuple[str, ...], config: Any, name: str) -> None:
    """Refuse a field that is none of the ``known`` words."""
    value = getattr(config, name)
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise SettingError(f"there is no method.{name} {value!r}; {hint}", f"method.{name}")
