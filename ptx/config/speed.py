"""``speed=``: what a training may do to be fast. The choice is kept in ``method.speed``.

``fast`` is what a method has when nothing is typed: the same rows in every optimizer step and the same
losses to rounding as TRL's own trainers, in less time. ``exact`` does what TRL does, pass by pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from ptx.config.settings import setting
from ptx.errors import SettingError, must_be_at_least

CHECKPOINTING = ("auto", "always", "never")
#: tokens of a forward pass by device. A CPU is used in full by short passes; a GPU waits for the host then.
PASS_TOKENS = {"cpu": 512, "cuda": 16384}
BATCH_TOKENS = {"cpu": 2048, "cuda": 32768}


@dataclass
class Speed:
    """The same losses to rounding as TRL's trainers, in less time (the default)."""

    checkpointing: str = setting(
        "auto",
        "compute activations a second time in the backward pass, to save memory: auto (on a GPU whose memory"
        " would not hold them), always, never",
        identity=False,
    )
    pass_tokens: int | None = setting(
        None,
        "the rows of a batch go through the model sorted by length, in passes of about this many tokens, so"
        " that little is padding; 0: in the passes of method.micro_batch (default: 512 on a CPU, 16384 on a"
        " GPU)",
    )
    batch_tokens: int | None = setting(
        None,
        "tokens of a batch in which a reference or a teacher scores answers; 0: one answer at a time, so that"
        " no digit depends on the others (default: 2048 on a CPU, 32768 on a GPU)",
    )
    short_head: bool = setting(
        True, "the output layer is computed where there is a label to predict, on a CPU too"
    )
    share_prefix: bool = setting(
        True,
        "rows of a batch that begin alike, as both answers to a question do, are read once up to where they"
        " part",
    )
    bf16: bool | None = setting(
        None,
        "on a CPU, products in bfloat16 with weights and optimizer in float32 (autocast), as TRL does by"
        " default and a GPU by method.dtype: half the time, and the loss moves in its fourth digit (default:"
        " where the processor multiplies bfloat16 and the model has 50 million weights or more, for methods"
        " that train a language model)",
    )
    compile: bool = setting(
        False,
        "torch.compile for every layer, while it trains: pays on a GPU, in a training of hundreds of steps;"
        " on a CPU it gains little",
    )

    def __post_init__(self) -> None:
        if self.checkpointing not in CHECKPOINTING:
            raise SettingError(
                f"method.speed.checkpointing must be {', '.join(CHECKPOINTING)}, got {self.checkpointing!r};"
                " try method.speed.checkpointing=auto",
                "method.speed.checkpointing",
            )
        for name, usual in (("pass_tokens", 512), ("batch_tokens", 2048)):
            if getattr(self, name) is not None:
                must_be_at_least(f"method.speed.{name}", getattr(self, name), 0, usual)

    def decided(self, *, checkpointing: bool) -> Self:
        """The same with ``checkpointing=auto`` replaced by what the memory asks for."""
        if self.checkpointing != "auto":
            return self
        return replace(self, checkpointing="always" if checkpointing else "never")

    def tokens_of_a_pass(self, device: str) -> int:
        """``pass_tokens`` on this device; 0: passes are left as they come."""
        return PASS_TOKENS[device] if self.pass_tokens is None else self.pass_tokens

    def tokens_of_a_batch(self, device: str) -> int:
        """``batch_tokens`` on this device; 0: one answer at a time."""
        return BATCH_TOKENS[device] if self.batch_tokens is None else self.batch_tokens


@dataclass
class Exact(Speed):
    """What TRL's trainers do, pass by pass; reference and teacher score one answer at a time."""

    checkpointing: str = setting(
        "always", "compute activations a second time: auto, always (on a GPU), never", identity=False
    )
    pass_tokens: int | None = setting(0, "tokens of a pass; 0: the passes of method.micro_batch")
    batch_tokens: int | None = setting(0, "tokens of a batch of the reference; 0: one answer at a time")
    short_head: bool = setting(False, "the output layer is computed where there is a label, on a CPU too")
    bf16: bool | None = setting(False, "products in bfloat16 on a CPU (autocast)")
    share_prefix: bool = setting(False, "rows that begin alike are read once up to where they part")
