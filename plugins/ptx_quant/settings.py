"""The compressors of this plugin as dataclasses: a scheme that says which numbers are stored, and a way of
choosing them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ptx import Promise, SettingError, did_you_mean, must_be_one_of, setting
from ptx.lm.compression.calibration import Calibrated
from ptx.lm.compression.grid import CHANNEL, check_grid
from ptx.lm.compression.targets import check_patterns
from ptx_quant.scheme import ACTIVATION_OBSERVERS, KV_CACHE, OBSERVERS, SCHEMES, Scheme

DTYPES = ("keep", "bfloat16", "float16", "float32")


@dataclass
class Quantizer(Calibrated):
    """What all of them can be told. Without a named scheme: integer weights of ``bits``, activations as they
    are.
    """

    rounding: ClassVar[str] = "rtn"  # what finally rounds the weights
    looks: ClassVar[bool] = True  # at data, whatever the scheme
    scheme: str = setting("", f"named scheme instead of bits and symmetric: {', '.join(SCHEMES)}")
    bits: int = setting(4, "bits per weight: 2 to 8")
    group_size: int = setting(
        128,
        "neighbouring weights that share a scale (smaller where that does not divide a layer); -1: one scale"
        " per output channel",
    )
    symmetric: bool = setting(True, "no zero point; false stores one per group")
    observer: str = setting(
        "",
        "how weight ranges are found: minmax, mse (least squared error), imatrix_mse (weighted by"
        " activations)",
    )
    activation_observer: str = setting(
        "", "how ranges of static activations are found: minmax, static_minmax, mse"
    )
    kv_cache: str = setting("", "store keys and values of the cache as fp8 or int8; empty: as they are")
    dtype: str = setting(
        "keep",
        "store what is not quantised in: keep, bfloat16, float16, float32 (nvfp4 and mxfp4 need a 16-bit"
        " base)",
    )
    skip: list[str] = setting(
        [], "regular expressions: linear layers to leave alone (the output layer always is)"
    )
    args: dict[str, Any] = setting({}, "any argument of the llm-compressor modifier")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheme and self.scheme not in SCHEMES:
            raise ValueError(
                f"no scheme {self.scheme!r} for {self.at('scheme')};"
                f" {did_you_mean(self.scheme, list(SCHEMES))}"
            )
        if self.scheme and (self.bits, self.symmetric) != (4, True):
            raise ValueError(
                f"{self.at('scheme')}={self.scheme} decides bits and symmetric; leave out {self.at('bits')}"
                f" and {self.at('symmetric')}"
            )
        check_grid(self.where, self.bits, self.group_size)
        known = {
            "observer": OBSERVERS,
            "activation_observer": ACTIVATION_OBSERVERS,
            "kv_cache": KV_CACHE,
            "dtype": DTYPES,
        }
        for name, values in known.items():
            must_be_one_of(self.at(name), getattr(self, name), values, values[1])
        check_patterns(self.at("skip"), self.skip)

    @property
    def format(self) -> Scheme:
        """The scheme asked for, by name or by its bits."""
        return SCHEMES[self.scheme] if self.scheme else Scheme("", self.bits)

    @property
    # of the instance: some schemes need no data
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Data where ranges or Hessians are measured on it."""
        measured = self.format.calibrated or self.kv_cache or self.observer == "imatrix_mse"
        return ("calibration",) if self.looks or measured or getattr(self, "then", "") == "gptq" else ()

    @property
    def group(self) -> int:
        """The group size asked for, or the format's own."""
        return self.format.group if self.format.group > 0 or self.format.group == CHANNEL else self.group_size

    def promise(self) -> Promise:
        """Every layer quantised, nothing else changed, pruned weights still zero."""
        dtype = "" if self.dtype == "keep" else self.dtype
        whole = self.format.group <= 0  # a format's own group size may leave layers out
        return Promise(
            bits=self.format.bits if whole else None,
            skip=tuple(self.skip),
            every_layer=whole,
            nothing_else=True,
            dtype=dtype,
        )


@dataclass
class RTN(Quantizer):
    """Round every weight to the nearest value of its grid (with observer=mse: of the grid with the least
    squared error).
    """

    looks: ClassVar[bool] = False


@dataclass
class GPTQ(Quantizer):
    """Round column by column and make up for each error in the columns to come (Frantar et al. 2023); pruned
    weights stay zero.
    """

    rounding: ClassVar[str] = "gptq"
    act_order: bool = setting(
        True, "quantise the columns with the largest activations first (costs nothing later)"
    )
    dampening: float = setting(0.01, "added to the Hessian's diagonal, as a share of its mean")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dampening <= 0:
            raise SettingError(
                f"compress.gptq.dampening must be positive, got {self.dampening}; try"
                " compress.gptq.dampening=0.01",
                "compress.gptq.dampening",
            )


@dataclass
class Transformed(Quantizer):
    """A change of coordinates that leaves the model's function as it is and makes it easier to round; then
    rounding.
    """

    then: str = setting(
        "rtn",
        "what rounds the weights afterwards: rtn, gptq, or none (a full-precision model for a later step)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.then not in ("rtn", "gptq", "none"):
            raise ValueError(
                f"{self.at('then')} must be rtn, gptq or none, got {self.then!r}; try {self.at('then')}=gptq"
            )

    def promise(self) -> Promise:
        """Norms and embeddings may change; all layers are quantised unless nothing follows."""
        made = super().promise()
        bits = None if self.then == "none" else made.bits
        return Promise(
            bits=bits,
            skip=made.skip if self.then != "none" else (),
            every_layer=bits is not None,
            dtype=made.dtype,
        )


@dataclass
class AWQ(Transformed):
    """Scale up the channels that see large activations before rounding (Lin et al. 2024)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.then == "none":
            raise SettingError(
                "compress.awq.then=none is of no use: its scales are searched for one grid; try"
                " compress.awq.then=rtn",
                "compress.awq.then",
            )


@dataclass
class SmoothQuant(Transformed):
    """Move outliers of activations into the weights, so that both fit into 8 bits (Xiao et al. 2023)."""

    scheme: str = setting("w8a8", f"named scheme: {', '.join(SCHEMES)}")
    strength: float = setting(
        0.5, "how much of the outliers goes into the weights, 0 to 1 (the paper's alpha)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.strength < 1:
            raise SettingError(
                f"compress.smoothquant.strength must lie between 0 and 1, got {self.strength}; try"
                " compress.smoothquant.strength=0.5",
                "compress.smoothquant.strength",
            )


@dataclass
class SpinQuant(Transformed):
    """Rotate the residual stream and the heads so that no channel stands out (Liu et al. 2024), with
    rotations fused into the weights.
    """

    looks: ClassVar[bool] = False

    rotations: list[str] = setting(
        ["R1", "R2"],
        "R1: residual stream, R2: values within a head (those of the paper that cost nothing later)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.rotations:
            if name not in ("R1", "R2"):
                raise SettingError(
                    f"compress.spinquant.rotations must be R1 or R2, got {name!r}: online rotations are not"
                    " re-applied by transformers",
                    "compress.spinquant.rotations",
                )

    def promise(self) -> Promise:
        """A rotated weight has no zeros left."""
        made = super().promise()
        return Promise(
            bits=made.bits, every_layer=made.every_layer, skip=made.skip, dtype=made.dtype, keeps_zeros=False
        )


@dataclass
class AutoRound(Quantizer):
    """Learn for every weight whether to round up or down, block by block, by signed gradient descent (Cheng
    et al. 2024).
    """

    rounding: ClassVar[str] = "autoround"
    iterations: int = setting(200, "steps of descent per decoder layer")

    def promise(self) -> Promise:
        """A learned rounding may leave zero."""
        made = super().promise()
        return Promise(
            bits=made.bits,
            skip=made.skip,
            every_layer=made.every_layer,
            dtype=made.dtype,
            nothing_else=True,
            keeps_zeros=False,
        )


@dataclass
class Mixed(Quantizer):
    """More bits for the layers that need them: each layer's loss is measured at each width, and the best
    choice within a budget taken.
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
        """Whether the budget is the size of the folder."""
        return bool(self.max_bytes or self.size)

    def _check_budget(self) -> None:
        """One budget, and one that can be one."""
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
        """At most the widest candidate anywhere, and a folder within the budget where that is one of
        bytes.
        """
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
