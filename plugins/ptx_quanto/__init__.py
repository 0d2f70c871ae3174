"""``compress=[quanto]``: weights of 8, 4 or 2 bits, and static 8-bit activations, by optimum-quanto.

Its folders are small on disk. ptx and optimum-quanto read them, plain transformers does not
(:mod:`ptx.lm.quanto`). On a CPU every product unpacks its weights first, which is slower than the dense
model: figures measured here are marked as emulated.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ptx import (
    Choice,
    DataSet,
    Problem,
    Promise,
    RunConfig,
    hookimpl,
    must_be_one_of,
    setting,
)
from ptx.lm.compression import calibration
from ptx.lm.compression.calibration import Calibrated
from ptx.lm.compression.targets import (
    check_patterns,
    linear_problems,
    quantised_problems,
    skip_problems,
)

WEIGHTS = {"int8": 8, "int4": 4, "int2": 2, "float8": 8}


@dataclass
class Quanto(Calibrated):
    """Round weights to nearest.

    8 bits: one scale per output channel. Fewer bits: groups of up to 128 weights with a zero point.
    """

    weights: str = setting("int8", f"how weights are stored: {', '.join(WEIGHTS)}")
    activations: str = setting(
        "",
        "inputs and outputs of layers: int8 or float8 in ranges measured on the calibration rows; empty:"
        " unchanged",
    )
    optimizer: str = setting("", "how ranges below 8 bits are found: minmax, or hqq (Badri and Shaji 2023)")
    skip: list[str] = setting(
        [], "regular expressions: linear layers to skip (the output layer is always skipped)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        known = {
            "weights": tuple(WEIGHTS),
            "activations": ("", "int8", "float8"),
            "optimizer": ("", "minmax", "hqq"),
        }
        for name, values in known.items():
            must_be_one_of(self.at(name), getattr(self, name), values, values[-1])
        if self.optimizer and WEIGHTS[self.weights] == 8:
            raise ValueError(
                f"{self.at('optimizer')} is for int4 and int2, whose groups have a range; leave it out for"
                f" {self.weights}"
            )
        check_patterns(self.at("skip"), self.skip)

    @property
    # a property of the instance: weights alone need no data
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Calibration data, where ranges of activations are measured on it."""
        return ("calibration",) if self.activations else ()

    @property
    def keeps_zeros(self) -> bool:
        """Return whether zero is on the grid: below 8 bits the zero point is no integer, so it is not."""
        return WEIGHTS[self.weights] == 8

    def promise(self) -> Promise:
        """Every layer in the requested bits, nothing else changed."""
        return Promise(
            bits=WEIGHTS[self.weights],
            skip=tuple(self.skip),
            every_layer=True,
            nothing_else=True,
            keeps_zeros=self.keeps_zeros,
        )


@hookimpl
def ptx_choices() -> list[Choice]:
    """``compress=[quanto]``."""
    return [
        Choice(
            "compress",
            "quanto",
            Quanto,
            "quantisation by optimum-quanto, 8 to 2 bits",
            ("optimum-quanto", "transformers", "torch"),
            calls="ptx_quanto.compress:quantise",
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Check the order of steps, layer names and calibration."""
    found: list[Problem] = []
    chain = config.chain()
    for place, (name, step) in enumerate(chain.items()):
        if not isinstance(step, Quanto):
            continue
        found += skip_problems(step.skip, step.at("skip"), model)
        found += linear_problems(f"compress=[{name}]", step.skip, model)
        found += calibration.problems(step, "quanto", model, data if step.needs else None)
        if after := list(chain)[place + 1 :]:
            found.append(
                Problem(
                    f"{after[0]} cannot follow {name}, whose weights are packed", f"make {name} the last step"
                )
            )
        pruned = next((before for before, made in list(chain.items())[:place] if _prunes(made)), "")
        if pruned and not step.keeps_zeros:
            what = (
                f"{name} after {pruned}: {step.weights} of quanto has no exact zero, so pruned weights would"
                " change from zero to other values"
            )
            found.append(Problem(what, f"try {step.at('weights')}=int8, or compress=[gptq]"))
        found += quantised_problems([name], model)
    return found


def _prunes(step: object) -> bool:
    promise = getattr(step, "promise", None)
    return promise is not None and promise().sparsity is not None
