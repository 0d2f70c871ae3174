"""What the other environment wrote, opened here and held against the model."""

from __future__ import annotations

from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.serving.exported import compare_and_describe
from ptx.records import ModelRef
from ptx_optimum import OnnxOptimum
from ptx_optimum.model import GRAPH, OrtLanguageModel


def finish(run: Run, config: OnnxOptimum, model: ModelRef, made: ModelRef) -> ModelRef:
    """Compare, and describe the package.

    Raises:
        StepError: the package is not the model (the figures are in the text).
    """
    if not (made.path / GRAPH).is_file():
        raise StepError(f"the export left no {GRAPH} in its folder")
    return compare_and_describe(
        run,
        "onnx_optimum",
        model,
        made,
        OrtLanguageModel(made.path),
        kind=config.mode,
        most=config.max_perplexity_ratio,
        instead="runtime.mode=dynamic or runtime.max_perplexity_ratio=2",
        facts={"mode": config.mode, "serve": 'onnxruntime.InferenceSession("{folder}/model.onnx")'},
    )
