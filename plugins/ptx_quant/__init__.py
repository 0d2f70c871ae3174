"""``compress=[rtn|gptq|awq|smoothquant|spinquant|autoround|mixed]``: quantisation by llm-compressor.

The result is a compressed-tensors checkpoint. It is small on disk, and fast on a runtime that computes with
packed weights (vLLM on a GPU). transformers unpacks it at first use: there it saves disk space, but neither
memory nor time, and shows what the quality would be.
"""

from __future__ import annotations

from pathlib import Path

from ptx import Choice, DataSet, Problem, RunConfig, hookimpl
from ptx_quant.mixed import Mixed
from ptx_quant.settings import AWQ, GPTQ, RTN, AutoRound, Quantizer, SmoothQuant, SpinQuant

LIBRARIES = ("llmcompressor", "compressed-tensors", "transformers", "torch")
CHOICES: dict[str, tuple[type[Quantizer], str]] = {
    "rtn": (RTN, "quantisation by rounding to nearest, no data needed"),
    "gptq": (GPTQ, "quantisation column by column (GPTQ); keeps pruned weights at zero"),
    "awq": (AWQ, "quantisation with salient channels scaled up (AWQ)"),
    "smoothquant": (SmoothQuant, "weights and activations in 8 bits, outliers smoothed (SmoothQuant)"),
    "spinquant": (SpinQuant, "quantisation after rotating outliers away (SpinQuant, R1 and R2)"),
    "autoround": (AutoRound, "quantisation with learned rounding (AutoRound)"),
    "mixed": (Mixed, "more bits for the layers that need them, within a budget"),
}


@hookimpl
def ptx_choices() -> list[Choice]:
    """One choice per algorithm; the scheme is a field of each."""
    extra = {"autoround": ("auto-round",)}
    calls = "ptx_quant.compress:quantise"
    return [
        Choice(
            "compress", name, kind, help_text, (*LIBRARIES, *extra.get(name, ())), version="3", calls=calls
        )
        for name, (kind, help_text) in CHOICES.items()
    ]


@hookimpl
def ptx_searchpath() -> list[str]:
    """``compress=[rtn_w8]``, ``[gptq_w3]``, ...: named widths that a sweep can mix."""
    return [str(Path(__file__).parent / "conf")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Check the order of steps, layer names, dtypes and calibration."""
    from ptx_quant.checks import problems

    return problems(config, model, data)


__all__ = ["AWQ", "CHOICES", "GPTQ", "RTN", "AutoRound", "Mixed", "Quantizer", "SmoothQuant", "SpinQuant"]
