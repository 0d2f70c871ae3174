"""The compressors of this plugin as dataclasses: a scheme (which numbers are stored), and an algorithm."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from ptx import Promise, SettingError, did_you_mean, must_be_one_of, setting
from ptx.lm.compression.calibration import Calibrated, Shareable
from ptx.lm.compression.grid import CHANNEL, check_grid
from ptx.lm.compression.targets import check_patterns
from ptx_quant.scheme import ACTIVATION_OBSERVERS, KV_CACHE, OBSERVERS, SCHEMES, Scheme

DTYPES = ("keep", "bfloat16", "float16", "float32")


@dataclass
class Quantizer(Calibrated):
    """The settings that all share.

    Without a named scheme: integer weights of ``bits``, unchanged activations.
    """

    rounding: ClassVar[str] = "rtn"  # the algorithm that finally rounds the weights
    uses_data: ClassVar[bool] = True  # with every scheme
    scheme: str = setting("", f"named scheme instead of bits and symmetric: {', '.join(SCHEMES)}")
    bits: int = setting(4, "bits per weight: 2 to 8")
    group_size: int = setting(
        128,
        "neighbouring weights that share a scale (smaller where that does not divide a layer); -1: one scale"
        " per output channel",
        least=-1,
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
    kv_cache: str = setting("", "store keys and values of the cache as fp8 or int8; empty: unchanged")
    dtype: str = setting(
        "keep",
        "dtype of everything that is not quantised: keep, bfloat16, float16, float32 (nvfp4 and mxfp4 need a"
        " 16-bit base)",
    )
    skip: list[str] = setting(
        [], "regular expressions: linear layers to skip (the output layer is always skipped)"
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
        """Return the scheme of the settings, by name or by its bits."""
        return SCHEMES[self.scheme] if self.scheme else Scheme("", self.bits)

    @property
    # a property of the instance: some schemes need no data
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Calibration data, where ranges or Hessians are measured on it."""
        measured = bool(self.measured_with())
        return ("calibration",) if self.uses_data or measured or getattr(self, "then", "") == "gptq" else ()

    def measured_with(self) -> str:
        """The setting for which ranges are measured while the rows run through the layers; empty: none."""
        if self.format.calibrated:
            return f"{self.at('scheme')}={self.scheme}"
        if self.kv_cache:
            return f"{self.at('kv_cache')}={self.kv_cache}"
        return f"{self.at('observer')}={self.observer}" if self.observer == "imatrix_mse" else ""

    @property
    def group(self) -> int:
        """Return the group size of the settings, or the format's own."""
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
    """Round every weight to the nearest value of its grid.

    With observer=mse the grid is the one with the least squared error.
    """

    uses_data: ClassVar[bool] = False


@dataclass
class GPTQ(Shareable, Quantizer):
    """Round column by column and compensate each error in the later columns (Frantar et al. 2023).

    Pruned weights stay zero.
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

    def unshareable(self) -> str:
        """What is measured on the way needs the rows."""
        return self.measured_with()


@dataclass
class Transformed(Quantizer):
    """Change the coordinates so that the model computes the same and is easier to round; then round."""

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
            same_function=self.then == "none",
        )


@dataclass
class AWQ(Shareable, Transformed):
    """Scale up the channels that see large activations before rounding (Lin et al. 2024)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.then == "none":
            raise SettingError(
                "compress.awq.then=none is useless: AWQ searches its scales for one grid; try"
                " compress.awq.then=rtn",
                "compress.awq.then",
            )

    def unshareable(self) -> str:
        """Also with GPTQ: it would need the inputs as AWQ has scaled them."""
        return self.measured_with() or ("" if self.then == "rtn" else f"{self.at('then')}={self.then}")


@dataclass
class SmoothQuant(Transformed):
    """Move outliers of activations into the weights, so that both fit into 8 bits (Xiao et al. 2023)."""

    scheme: str = setting("w8a8", f"named scheme: {', '.join(SCHEMES)}")
    strength: float = setting(
        0.5, "share of the outliers that is moved into the weights, 0 to 1 (the paper's alpha)"
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
    """Rotate the residual stream and the heads so that no channel has outliers (Liu et al. 2024).

    The rotations are fused into the weights.
    """

    uses_data: ClassVar[bool] = False

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
        """As of its base class, but a rotated weight has no zeros left."""
        made = super().promise()
        return dataclasses.replace(made, keeps_zeros=False)


@dataclass
class AutoRound(Quantizer):
    """Learn for every weight whether to round up or down, block by block (Cheng et al. 2024).

    The optimiser is signed gradient descent.
    """

    rounding: ClassVar[str] = "autoround"
    iterations: int = setting(200, "steps of descent per decoder layer")

    def promise(self) -> Promise:
        """As of its base class, but a learned rounding may move a weight from zero."""
        made = super().promise()
        return Promise(
            bits=made.bits,
            skip=made.skip,
            every_layer=made.every_layer,
            dtype=made.dtype,
            nothing_else=True,
            keeps_zeros=False,
        )
