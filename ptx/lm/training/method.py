"""The settings that all TRL methods share, and their checks.

Plugins derive their configuration from :class:`TrlMethod`; this module imports no ML library. The names are
ptx's, not TRL's: ``batch_size`` counts the examples of one optimizer step, whatever the number that goes
through the model at a time (``micro_batch``). Every other TRL argument can be given in ``args``, which
:mod:`ptx.lm.training.trl_args` checks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from typing_extensions import override

from ptx import machine
from ptx.config import Method, Speed, setting
from ptx.errors import SettingError, did_you_mean, must_be_at_least
from ptx.lm.dtypes import NEAREST, ROUNDINGS, STOCHASTIC
from ptx.lm.training.memory import Passes, divisors, fit, fits, training_memory
from ptx.models.memory import Amount, Memory, Workload
from ptx.models.shape import ModelShape

#: weights from which on products in bfloat16 save more on a CPU than the casts cost
LARGE = 50e6

SCHEDULERS = ("linear", "cosine", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt")
DTYPES = ("auto", "float32", "bfloat16", "float16")
DEFAULT_LENGTH = 1024
AUTO = "auto"


class Fitted(int):
    """A micro-batch that was chosen for the memory there is, so it may be halved where that was too much."""


@dataclass
class TrlMethod(Method):
    """A method that trains with a TRL trainer.

    ``micro_batch=auto`` becomes the largest number that fits when the step starts (:meth:`fitted`). Most
    losses are sums over the examples of an optimizer step, however these are divided, so results differ by
    rounding only (and in an incomplete last step, whose passes count alike). The key therefore holds the word
    ``auto``, and the record of the step what it became. A loss that ``compares_examples`` of one forward pass
    keeps all of them together.
    """

    learning_rate: float = setting(2e-5, "peak learning rate of AdamW")
    epochs: float = setting(1.0, "passes over the data")
    max_steps: int = setting(-1, "optimizer steps; -1: as many as epochs gives")
    batch_size: int = setting(16, "examples per optimizer step")
    micro_batch: int | str | None = setting(
        AUTO,
        "examples per forward pass; auto: the most that fit into memory, half as many when they did not; a"
        " number must divide batch_size; null: all of them",
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
    rounding: str = setting(
        STOCHASTIC,
        "how trained weights are rounded to the dtype of the model's folder: stochastic keeps what small"
        " rates have learnt, on average over the weights; nearest takes changes below half a step back",
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
        one_of(ROUNDINGS, self, "rounding")
        if self.max_steps != -1:
            above(0, self, "max_steps", "100")
        self._check_micro_batch()

    def _check_micro_batch(self) -> None:
        """Raise SettingError unless ``micro_batch`` is auto, null or a divisor of the batch."""
        given = self.micro_batch
        if given is None or given == AUTO:
            return
        sizes = divisors(self.batch_size)
        if given in sizes:
            return
        near = next((size for size in sizes if isinstance(given, int) and size <= given), 1)
        what = f"must divide method.batch_size={self.batch_size}" if isinstance(given, int) else "is a number"
        instead = near if isinstance(given, int) else AUTO
        raise SettingError(
            f"method.micro_batch {what}, got {given}; try method.micro_batch={instead}",
            "method.micro_batch",
            "method.batch_size",
        )

    def shares(self, ranks: int = 1) -> tuple[int, int]:
        """(Examples per forward pass, forward passes per optimizer step) of each of ``ranks`` processes.

        Over all ranks and passes the examples add up to ``batch_size``.
        """
        mine = self.batch_size // ranks
        micro = min(self.micro_batch if isinstance(self.micro_batch, int) else mine, mine)
        return micro, mine // micro

    @property
    def compares_examples(self) -> bool:
        """Whether the loss of an example depends on the others of its forward pass."""
        return False

    @property
    def saved_rounding(self) -> str:
        """``rounding``, but to the nearest after quantisation-aware training, which rounds in that way."""
        return self.rounding if self.qat is None else NEAREST

    @property
    def generates(self) -> bool:
        """Whether transformers' ``generate`` writes answers: it would cast weights for each token."""
        return False

    def passes(self, work: Workload) -> Passes:
        """What one example puts through the model; methods with further sequences or models override it.

        A method that samples puts a prompt and its answer through it, and samples a whole batch at a time.
        """
        answer: int | None = getattr(self, "max_completion_length", None)
        if answer is None or hasattr(self, "max_length"):
            return Passes(self.length(work))
        prompt = work.longest or 0
        shares = self.speed.share_prefix and work.model.branches
        group = getattr(self, "num_generations", 1) if shares else 1
        return Passes(prompt + answer, rollout=self.batch_size, group=group, shared=max(prompt - 1, 0))

    def length(self, work: Workload) -> int:
        """The tokens of the longest example after the cut at ``max_length``."""
        most = getattr(self, "max_length", None) or DEFAULT_LENGTH
        return min(work.longest or most, most)

    @override
    def memory(
        self, work: Workload, micro: int | None = None, *, checkpointing: bool | None = None
    ) -> Memory:
        """The peak of the training; by default as the settings say, without a chosen micro-batch."""
        if checkpointing is None:
            usual = work.device == "cuda" and self.speed.checkpointing == "always"
            checkpointing = bool(self.args.get("gradient_checkpointing", usual))
        size = self.shares()[0] if micro is None else micro
        return training_memory(self, work, self.passes(work), size, checkpointing=checkpointing)

    @override
    def placed(self, model: ModelShape, device: str) -> Self:
        """The method with ``speed.bf16`` decided."""
        if self.speed.bf16 is not None:
            return self
        plain = self.dtype == "auto" and self.qat is None and self.makes == "model" and not self.generates
        bf16 = plain and device == "cpu" and gains_by_bfloat16(model)
        return replace(self, speed=replace(self.speed, bf16=bf16))

    @override
    def fitted(self, work: Workload, free: float, ranks: int = 1) -> Self:
        """The method with what ``auto`` becomes with ``free`` bytes: the micro-batch, and checkpointing."""
        if self.micro_batch != AUTO or self.compares_examples:
            return replace(self, speed=self.speed.decided(checkpointing=not fits(self, work, free, ranks)))
        found = fit(self, work, free, ranks)
        speed = self.speed.decided(checkpointing=found.checkpointing)
        return replace(self, micro_batch=Fitted(found.micro), speed=speed)

    @override
    def amount(self, work: Workload) -> Amount | None:
        """The tokens of all steps, as if every example were as long as the longest."""
        if work.rows is None and self.max_steps < 0:
            return None
        steps = self.max_steps if self.max_steps > 0 else self.epochs * (work.rows or 0) / self.batch_size
        passes = self.passes(work)
        tokens = steps * self.batch_size * passes.length * (passes.rows + passes.aside)
        kind = "full" if self.lora is None else "adapter"
        return Amount(tokens, f"{kind} bf16" if self.speed.bf16 else kind)

    @override
    def saves_memory(self, work: Workload) -> list[str]:
        """A smaller micro-batch, checkpointing, adapters, shorter examples: as far as they are not in use."""
        micro, length = self.shares()[0], self.passes(work).length
        tries = [f"method.micro_batch={micro // 2}"] if micro > 1 and self.micro_batch != AUTO else []
        if not self.args.get("gradient_checkpointing", work.device == "cuda"):
            tries.append("method.args.gradient_checkpointing=true")
        if self.lora is None:
            tries.append("lora=lora")
        elif not self.lora.quantize and work.device == "cuda":
            tries.append("method.lora.quantize=true")
        if hasattr(self, "max_length"):
            tries.append(f"method.max_length={max(length // 2, 1)}")
        return tries

    @override
    def smaller(self) -> Self | None:
        """The method with the next smaller micro-batch, where the present one was chosen."""
        if not isinstance(self.micro_batch, Fitted) or self.micro_batch == 1:
            return None
        sizes = divisors(self.batch_size)
        return replace(self, micro_batch=Fitted(next(n for n in sizes if 2 * n <= self.micro_batch)))


def gains_by_bfloat16(model: ModelShape) -> bool:
    """Whether a training of this model on this processor is faster with products in bfloat16."""
    return machine.multiplies_bfloat16() and model.parameters >= LARGE


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
