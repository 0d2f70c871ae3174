"""``qat=rtn``: quantisation-aware training, by any method (Jacob et al. 2018; for language models
LLM-QAT, Liu et al. 2023).

Below 4 bits the best rounding of given weights is not good enough, and weights are better trained for their
grid: the model computes with rounded weights, the gradient passes the rounding as if it were not there (the
straight-through estimator, Bengio et al. 2013), and the optimizer moves the float weights underneath. These
are what the step writes, so that ``compress=[rtn]`` with the same bits and groups rounds them to just what
was trained, and a runtime that takes over packed integers serves just that.

LLM-QAT lets the float model teach the rounded one: ``method=distill qat=rtn`` (the model is its own
teacher). It also rounds activations and the KV cache and writes its training texts itself; here weights alone
are rounded, and the texts are the run's data.

It is a wrapper around ``ptx_fit``, the loop that all TRL methods train by, and knows none of them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx import QAT, Choice, Method, ModelRef, Problem, Run, RunConfig, hookimpl, setting
from ptx.lm.compression.grid import check_grid
from ptx.lm.compression.targets import check_patterns
from ptx.lm.training.method import TrlMethod


@dataclass
class RoundToNearest(QAT):
    """Integer weights on the grid of ``compress=[rtn]``; the defaults are those of ``rtn``."""

    bits: int = setting(4, "bits per weight: 2 to 8")
    group_size: int = setting(
        128,
        "neighbouring weights that share a scale (smaller where that does not divide a layer); -1: one scale"
        " per output channel",
    )
    symmetric: bool = setting(True, "no zero point; false trains for one per group")
    skip: list[str] = setting(
        [], "regular expressions: linear layers to leave alone (the output layer always is)"
    )

    def __post_init__(self) -> None:
        check_grid("method.qat", self.bits, self.group_size)
        check_patterns("method.qat.skip", self.skip)


@hookimpl
def ptx_choices() -> list[Choice]:
    """``qat=rtn``."""
    return [
        Choice(
            "qat",
            "rtn",
            RoundToNearest,
            "quantisation-aware training: the weights as rounding to nearest will leave them",
            ("torch",),
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """A method that cannot be wrapped, and a quantiser that would round to another grid."""
    from ptx_qat.checks import problems

    qat = getattr(config.method, "qat", None)
    return problems(config, qat, model) if isinstance(qat, RoundToNearest) else []


@hookimpl(wrapper=True)
def ptx_fit(run: Run, method: Method, model: ModelRef, trainer: Any) -> Generator[None, Any, Any]:
    """The loop, with every linear layer computing with rounded weights."""
    if not (isinstance(method, TrlMethod) and isinstance(method.qat, RoundToNearest)):
        return (yield)
    from ptx_qat.train import rounded

    with rounded(run, method, method.qat, model, trainer):
        return (yield)


@hookimpl(wrapper=True)
def ptx_train(run: Run, method: Method) -> Generator[None, ModelRef | None, ModelRef | None]:
    """What was written, rounded, is what was trained."""
    made = yield
    if made is not None and isinstance(method.qat, RoundToNearest):
        from ptx_qat.train import verify

        verify(run, method.qat, made)
    return made
