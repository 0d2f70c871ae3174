"""The settings that all TRL methods share, and their checks.

Plugins derive their configuration from :class:`TrlMethod`; this module imports no ML library. The names are
ptx's, not TRL's: ``batch_size`` counts the examples of one optimizer step, whatever the number that goes
through the model at a time (``micro_batch``). Every other TRL argument can be given in ``args``, which
:mod:`ptx.lm.training.trl_args` checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ptx.config import Method, Speed, setting
from ptx.errors import SettingError, did_you_mean, must_be_at_least

SCHEDULERS = ("linear", "cosine", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt")
DTYPES = ("auto", "float32", "bfloat16", "float16")
DEFAULT_LENGTH = 1024


@dataclass
class TrlMethod(Method):
    """A method that trains with a TRL trainer."""

    learning_rate: float = setting(2e-5, "peak learning rate of AdamW")
    epochs: float = setting(1.0, "passes over the data")
    max_steps: int = setting(-1, "optimizer steps; -1: as many as epochs gives")
    batch_size: int = setting(16, "examples per optimizer step")
    micro_batch: int | None = setting(
        None, "examples per forward pass, to save memory; must divide batch_size (default: all of them)"
    )
    warmup: float = setting(
        0.03, "warm-up of the learning rate: below 1 a fraction of all steps, from 1 on a number of steps"
    )
    scheduler: str = setting("linear", f"learning rate schedule: {', '.join(SCHEDULERS)}")
    weight_decay: float = setting(0.0, "weight decay of AdamW")
    dtype: str = setting(
        "auto",
        "dtype of the weights in training; auto: float32, on a GPU with bfloat16 autocast (LoRA on a GPU:"
        " bfloat16)",
    )
    keep_zeros: bool = setting(
        True,
        "weights of linear layers that are exact zeros at the start stay zero: a pruned model stays pruned",
    )
    checkpoint_every: int = setting(
        200, "steps between checkpoints for resuming; 0: no checkpoints", identity=False
    )
    args: dict[str, Any] = setting(
        {}, "any other argument of the TRL config: method.args={max_grad_norm: 0.5}"
    )

    def __post_init__(self) -> None:
        if self.speed is None:
            self.speed = Speed()
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
        """(Examples per forward pass, forward passes per optimizer step) of each of ``ranks`` processes.

        Over all ranks and passes the examples add up to ``batch_size``.
        """
        mine = self.batch_size // ranks
        micro = min(self.micro_batch or mine, mine)
        return micro, mine // micro


def above(bound: float, config: Any, name: str, example: str) -> None:
    """Raise ValueError unless a field is greater than ``bound``; ``example`` is a valid value."""
    value = getattr(config, name)
    if not value > bound:  # true for nan too
        what = "positive" if bound == 0 else f"greater than {bound}"
        field = f"method.{name}"
        raise SettingError(f"{field} must be {what}, got {value}; try {field}={example}", field)


def at_least(bound: float, config: Any, name: str, example: str) -> None:
    """Raise ValueError when a field is below ``bound``; ``example`` is a valid value."""
    must_be_at_least(f"method.{name}", getattr(config, name), bound, example)


def one_of(known: tuple[str, ...], config: Any, name: str) -> None:
    """Raise ValueError when the value of a field is not among ``known``."""
    value = getattr(config, name)
    if value not in known:
        hint = did_you_mean(str(value), known)
        raise SettingError(f"there is no method.{name} {value!r}; {hint}", f"method.{name}")
