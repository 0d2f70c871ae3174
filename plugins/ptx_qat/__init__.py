"""``qat=rtn``: quantisation-aware training with any method.

The technique is that of Jacob et al. 2018 and, for language models, of LLM-QAT (Liu et al. 2023). Below 4
bits even the best rounding of given weights is not good enough; it is better to train the weights for their
grid. The model computes with rounded weights. The gradient passes the rounding unchanged (the
straight-through estimator, Bengio et al. 2013), and the optimizer updates the float weights. The step writes
the float weights; ``compress=[rtn]`` with the same bits and groups rounds them to exactly the weights that
were trained, and runtimes that read the packed integers serve exactly those.

In LLM-QAT the float model teaches the rounded one; here this is ``method=distill qat=rtn`` (the model is its
own teacher). LLM-QAT also rounds activations and the KV cache and generates its training texts; here only
weights are rounded, and the texts are the run's data.

The plugin wraps ``ptx_fit``, the training loop of all TRL methods, and depends on none of them.
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
        least=-1,
    )
    symmetric: bool = setting(True, "no zero point; false: one zero point per group")
    skip: list[str] = setting(
        [], "regular expressions: linear layers that are not rounded (the output layer never is)"
    )

    def __post_init__(self) -> None:
        check_grid("method.qat", self.bits, self.group_size)
        check_patterns("method.qat.skip", self.skip)


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``qat=rtn``."""
    return [
        Choice(
            "qat",
            "rtn",
            RoundToNearest,
            "quantisation-aware training with weights rounded to nearest",
            ("torch",),
            formerly=("qat",),
        )
    ]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Problems: a method that cannot be wrapped, or a quantiser that would round to another grid."""
    from ptx_qat.checks import problems

    qat = getattr(config.method, "qat", None)
    return problems(config, qat, model) if isinstance(qat, RoundToNearest) else []


@hookimpl(wrapper=True)
def ptx_fit(run: Run, method: Method, model: ModelRef, trainer: Any) -> Generator[None, Any, Any]:
    """Run the training loop while every linear layer computes with rounded weights."""
    if not (isinstance(method, TrlMethod) and isinstance(method.qat, RoundToNearest)):
        return (yield)
    from ptx_qat.train import rounded

    with rounded(run, method, method.qat, model, trainer):
        return (yield)


@hookimpl(wrapper=True)
def ptx_train(run: Run, method: Method) -> Generator[None, ModelRef | None, ModelRef | None]:
    """Verify that the written weights round to the weights that were trained."""
    made = yield
    if made is not None and isinstance(method.qat, RoundToNearest):
        from ptx_qat.train import verify

        verify(run, method.qat, made)
    return made
