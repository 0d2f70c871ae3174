"""``compress=[sparsegpt]``, ``[wanda]``, ``[magnitude]``: one-shot pruning, unstructured or n:m.

llm-compressor runs SparseGPT (Frantar and Alistarh 2023) and Wanda (Sun et al. 2023). Magnitude pruning is
implemented here, because llm-compressor's own changes nothing. The result is a dense checkpoint that contains
zeros: it is as large and as slow as before on every runtime that ptx supports (sparse formats were removed
upstream in 2026). ``compress=[depth]`` and ``[width]`` make a model smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ptx import (
    Choice,
    Compressor,
    DataSet,
    Problem,
    Promise,
    RunConfig,
    SettingError,
    hookimpl,
    must_be_at_least,
    setting,
)
from ptx.guard.patterns import found_in
from ptx.lm.compression import calibration
from ptx.lm.compression.calibration import Shareable
from ptx.lm.compression.sparsity import parse_pattern
from ptx.lm.compression.targets import linear_layers, quantised_problems, skip_problems
from ptx.lm.matrices import PLAIN, described, kept, model_type
from ptx_prune import settings

SHARE = "share of weights set to zero"
PATTERN = "unstructured, or n:m: n zeros in every m neighbouring weights, such as 2:4"
LAYERS = (
    "sparsity of some layers, by regular expressions found in their names: {down_proj: 0.3}; all others use"
    " sparsity"
)
ALLOCATION = "uniform, or owl: layers with more outliers keep more weights, same mean (Yin et al. 2023)"
SKIP = "regular expressions: linear layers to skip (the output layer is always skipped)"


def _promise(config: OneShot | Magnitude, *, every_layer: bool) -> Promise:
    """What both kinds promise: the requested zeros, and no other change.

    Sparsities of single layers are checked in compress.py.
    """
    pattern = "" if config.pattern == "unstructured" else config.pattern
    sparsity = None if config.layers else config.sparsity
    return Promise(sparsity, pattern, skip=tuple(config.skip), every_layer=every_layer, nothing_else=True)


@dataclass
class OneShot(Shareable):
    """The settings that SparseGPT and Wanda share."""

    sparsity: float = setting(0.5, SHARE)
    pattern: str = setting("unstructured", PATTERN)
    layers: dict[str, float] = setting({}, LAYERS)
    allocation: str = setting("uniform", ALLOCATION)
    outlier: float = setting(
        5.0, "owl: a weight is an outlier when |weight| x |input| is this many times its decoder layer's mean"
    )
    spread: float = setting(0.08, "owl: largest difference of a layer's sparsity from the mean")
    skip: list[str] = setting([], SKIP)

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self).__name__.lower()
        settings.check(name, self)
        settings.check_allocation(name, self)

    def promise(self) -> Promise:
        """The requested zeros, and no other change."""
        return _promise(self, every_layer=True)


@dataclass
class SparseGPT(OneShot):
    """Set a share of every linear layer's weights to zero and adjust the others to compensate."""

    block_size: int = setting(128, "columns that are pruned together")
    dampening: float = setting(0.01, "added to the Hessian's diagonal, as a share of its mean")

    def __post_init__(self) -> None:
        super().__post_init__()
        must_be_at_least("compress.sparsegpt.block_size", self.block_size, 1, 128)
        if self.dampening <= 0:
            raise SettingError(
                f"compress.sparsegpt.dampening must be positive, got {self.dampening}; try"
                " compress.sparsegpt.dampening=0.01",
                "compress.sparsegpt.dampening",
            )
        if self.pattern != "unstructured" and self.block_size % (group := parse_pattern(self.pattern)[1]):
            raise SettingError(
                f"compress.sparsegpt.block_size must be a multiple of {group} for pattern {self.pattern}, got"
                f" {self.block_size}; try compress.sparsegpt.block_size={group * max(1, 128 // group)}",
                "compress.sparsegpt.block_size",
            )


@dataclass
class Wanda(OneShot):
    """Set the weights with the smallest |weight| x input norm to zero, row by row; keep the others."""

    hessians: ClassVar[bool] = False


@dataclass
class Magnitude(Compressor):
    """Set the smallest weights to zero; needs no data."""

    needs: ClassVar[tuple[str, ...]] = ()
    sparsity: float = setting(0.5, SHARE)
    pattern: str = setting("unstructured", PATTERN)
    layers: dict[str, float] = setting({}, LAYERS)
    scope: str = setting(
        "layer",
        "where weights compete: layer, or global: over the whole model, so that layers differ in sparsity",
    )
    skip: list[str] = setting([], SKIP)

    def __post_init__(self) -> None:
        settings.check("magnitude", self)
        if self.scope not in ("layer", "global"):
            raise SettingError(
                f"compress.magnitude.scope must be layer or global, got {self.scope!r}; try"
                " compress.magnitude.scope=layer",
                "compress.magnitude.scope",
            )
        if self.scope == "global" and (self.layers or self.pattern != "unstructured"):
            raise SettingError(
                "compress.magnitude.scope=global lets the weights decide each layer's sparsity, so it cannot"
                " be combined with layers or an n:m pattern; try compress.magnitude.scope=layer",
                "compress.magnitude.scope",
            )

    def promise(self) -> Promise:
        """The requested zeros, and no other change."""
        return _promise(self, every_layer=self.scope == "layer")


@hookimpl
def ptx_choices() -> list[Choice]:
    """``compress=[sparsegpt]``, ``[wanda]``, ``[magnitude]``."""
    libraries = ("llmcompressor", "compressed-tensors", "transformers", "torch")
    return [
        Choice(
            "compress",
            "sparsegpt",
            SparseGPT,
            "one-shot pruning that adjusts the remaining weights (SparseGPT)",
            libraries,
            version="2",
            calls="ptx_prune.compress:prune",
        ),
        Choice(
            "compress",
            "wanda",
            Wanda,
            "one-shot pruning by weight times input (Wanda)",
            libraries,
            version="2",
            calls="ptx_prune.compress:prune",
        ),
        Choice(
            "compress",
            "magnitude",
            Magnitude,
            "pruning of the smallest weights, without data",
            ("transformers", "torch"),
            version="3",
            calls="ptx_prune.compress:prune_by_magnitude",
        ),
    ]


@hookimpl
def ptx_searchpath() -> list[str]:
    """``compress=[sparsegpt_2_4]``."""
    return [str(Path(__file__).parent / "conf")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Report a model that is already quantised, and problems with the calibration data."""
    chosen = {
        name: compressor
        for name, compressor in config.compress.items()
        if isinstance(compressor, OneShot | Magnitude)
    }
    found = quantised_problems(chosen, model)
    for step in chosen.values():
        name = type(step).__name__.lower()
        for field in ("skip", "layers"):
            found += skip_problems(getattr(step, field), f"compress.{name}.{field}", model)
        found += pattern_problems(step, name, model)
        if isinstance(step, OneShot):
            found += uncalled_problems(name, step.skip, model)
            found += expert_problems(name, model)
            found += calibration.problems(step, name, model, data)
    return found


def uncalled_problems(name: str, skip: list[str], model: Path) -> list[Problem]:
    """Report layers whose inputs SparseGPT and Wanda could not see, because the model never calls them."""
    if model_type(model) in PLAIN:
        return []
    from ptx.lm.compression.trace import uncalled_layers

    parts = uncalled_layers(model, skip)
    if not parts:
        return []
    what = f"{name} looks at the inputs of layers, and {model_type(model)} reads the weight of"
    return [
        Problem(
            f"compress=[{name}]: {what} {', '.join(parts)} itself",
            f"add compress.{name}.skip=[{','.join(sorted({*skip, *parts}))}], or use compress=[magnitude]",
        )
    ]


def expert_problems(name: str, model: Path) -> list[Problem]:
    """Report experts of which llm-compressor cannot make the linear layers that SparseGPT and Wanda prune."""
    if model_type(model) in PLAIN:
        return []
    from ptx.lm.compression.linear import unknown_experts

    network = described(model)
    if network is None or not (kind := unknown_experts(network)):
        return []
    what = f"{name} prunes linear layers, and llm-compressor can make none of experts of the kind {kind}"
    return [Problem(f"compress=[{name}] on {model_type(model)}: {what}", "use compress=[magnitude]")]


def pattern_problems(step: OneShot | Magnitude, name: str, model: Path) -> list[Problem]:
    """Report layers whose inputs an n:m pattern does not divide."""
    if step.pattern == "unstructured":
        return []
    group = parse_pattern(step.pattern)[1]
    if model_type(model) in PLAIN:
        inputs = {
            layer: shape[1]
            for layer, shape in linear_layers(model).items()
            if layer != "lm_head" and not found_in(step.skip, layer)
        }
    else:
        network = described(model)
        inputs = {} if network is None else {n: one.inputs for n, one in kept(network, step.skip).items()}
    wrong = {layer: count for layer, count in inputs.items() if count % group}
    if not wrong:
        return []
    layer, count = next(iter(wrong.items()))
    what = (
        f"compress.{name}.pattern={step.pattern} does not divide the inputs of {len(wrong)} of {len(inputs)}"
        f" layers of {model}, first {layer} ({count})"
    )
    endings = sorted({*step.skip, *(one.rpartition(".")[2] for one in wrong)})
    skip = f"add compress.{name}.skip=[{','.join(endings)}], or " if len(wrong) < len(inputs) else ""
    return [Problem(what, f"{skip}leave out compress.{name}.pattern")]
