"""The settings of ``compress=[mixed]``: the widths to choose from, and the budget."""

from __future__ import annotations

from dataclasses import dataclass

from ptx import Promise, SettingError, setting
from ptx_quant.settings import Quantizer


@dataclass
class Mixed(Quantizer):
    """More bits for the layers that need them, within a budget.

    Each layer's loss is measured at each width; the widths with the smallest total loss are chosen.
    """

    bits: int = setting(4, "not used: the widths come from candidates")
    average_bits: float = setting(4.0, "budget: bits per weight over all layers, without scales")
    max_bytes: int = setting(
        0,
        "budget instead: bytes of the whole folder on disk, with scales, embeddings, tokenizer; 0: not used",
    )
    size: float = setting(
        0.0,
        "budget instead: share of the bytes of the folder that the step is given, such as 0.25; 0: not used",
    )
    candidates: list[int] = setting([3, 4, 8], "the widths to choose from")
    then: str = setting("gptq", "what rounds the weights: rtn or gptq")
    probes: int = setting(16, "calibration rows on which the loss of each layer at each width is measured")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheme:
            raise SettingError(
                "compress.mixed.scheme cannot be set: it mixes integer weights; use"
                " compress.mixed.candidates=[3,4,8]",
                "compress.mixed.scheme",
                "compress.mixed.candidates",
            )
        if self.then not in ("rtn", "gptq"):
            raise SettingError(
                f"compress.mixed.then must be rtn or gptq, got {self.then!r}; try compress.mixed.then=gptq",
                "compress.mixed.then",
            )
        if len(set(self.candidates)) < 2 or not all(2 <= bits <= 8 for bits in self.candidates):
            raise SettingError(
                f"compress.mixed.candidates must be two or more of 2 to 8, got {self.candidates}; try"
                " compress.mixed.candidates=[3,4,8]",
                "compress.mixed.candidates",
            )
        self._check_budget()

    @property
    def in_bytes(self) -> bool:
        """Return whether the budget is the size of the folder."""
        return bool(self.max_bytes or self.size)

    def _check_budget(self) -> None:
        """Check that there is one budget, and that it is possible."""
        set_to = {
            "average_bits": self.average_bits != 4.0,
            "max_bytes": self.max_bytes != 0,
            "size": self.size != 0,
        }
        if sum(set_to.values()) > 1:
            both = " and ".join(
                f"compress.mixed.{name}={getattr(self, name)}" for name, given in set_to.items() if given
            )
            raise ValueError(f"{both} are two budgets; leave one of them out")
        if self.max_bytes < 0:
            raise SettingError(
                f"compress.mixed.max_bytes must be positive, got {self.max_bytes}; try"
                " compress.mixed.size=0.25",
                "compress.mixed.max_bytes",
                "compress.mixed.size",
            )
        if not 0 <= self.size < 1:
            raise SettingError(
                f"compress.mixed.size must be a share below 1, got {self.size}; try compress.mixed.size=0.25",
                "compress.mixed.size",
            )
        if not self.in_bytes and self.average_bits < min(self.candidates):
            least = min(self.candidates)
            raise SettingError(
                f"compress.mixed.average_bits={self.average_bits} is below the least candidate; try"
                f" compress.mixed.average_bits={least + 0.5}",
                "compress.mixed.average_bits",
            )

    def promise(self) -> Promise:
        """At most the widest candidate in every layer, and a folder within a budget of bytes."""
        made = super().promise()
        return Promise(
            bits=max(self.candidates),
            skip=made.skip,
            every_layer=True,
            nothing_else=True,
            dtype=made.dtype,
            max_bytes=self.max_bytes or None,
            size=self.size or None,
        )
