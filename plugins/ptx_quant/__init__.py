"""``compress=[rtn|gptq|awq|smoothquant|spinquant|autoround|mixed]``: post-training quantisation, run by
llm-compressor.

The result is a compressed-tensors checkpoint: small on disk, and fast where a runtime computes with packed
weights (vLLM on a GPU). transformers unpacks it when it is first used, so there it saves disk, not memory or
time, and shows what the quality would be.
"""

from __future__ import annotations

from pathlib import Path

from ptx import Choice, Compressor, DataSet, ModelRef, Problem, Run, RunConfig, hookimpl
from ptx_quant.settings import AWQ, GPTQ, RTN, AutoRound, Mixed, Quantizer, SmoothQuant, SpinQuant

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
    """One per algorithm; the scheme is a field of each."""
    extra = {"autoround": ("auto-round",)}
    return [
        Choice("compress", name, kind, told, (*LIBRARIES, *extra.get(name, ())), version="2")
        for name, (kind, told) in CHOICES.items()
    ]


@hookimpl
def ptx_searchpath() -> list[str]:
    """``compress=[rtn_w8]``, ``[gptq_w3]``, ...: widths under a name, which a sweep can mix."""
    return [str(Path(__file__).parent / "conf")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Order of steps, names, dtypes and calibration."""
    from ptx_quant.checks import problems

    return problems(config, model, data)


@hookimpl
def ptx_compress(run: Run, compressor: Compressor, model: ModelRef, data: DataSet | None) -> ModelRef | None:
    """Quantise."""
    if not isinstance(compressor, Quantizer):
        return None
    from ptx.lm.load import quiet

    quiet()
    from ptx_quant.compress import quantise

    return quantise(run, compressor, model, data)


__all__ = ["AWQ", "CHOICES", "GPTQ", "RTN", "AutoRound", "Mixed", "Quantizer", "SmoothQuant", "SpinQuant"]
