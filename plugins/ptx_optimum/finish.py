"""Open the package from the other environment here, and compare it with the model."""

from __future__ import annotations

from ptx import ModelRef, Run, StepError
from ptx.lm.serving.exported import Limit, compare_and_describe, ways_of
from ptx_optimum import OnnxOptimum
from ptx_optimum.model import GRAPH, OrtLanguageModel


def finish(run: Run, config: OnnxOptimum, model: ModelRef, made: ModelRef) -> ModelRef:
    """Compare the package with the model, and describe it.

    Raises:
        StepError: the package does not equal the model (with the figures).
    """
    if absent := [name for name, way in ways_of(made.path, "").items() if not (way / GRAPH).is_file()]:
        raise StepError(f"the export left no {GRAPH} in its folder {', '.join(absent)}".rstrip())
    return compare_and_describe(
        run,
        "onnx_optimum",
        model,
        made,
        OrtLanguageModel,
        kind=config.mode,
        limit=Limit(config.max_perplexity_ratio, "runtime.mode=dynamic or runtime.max_perplexity_ratio=2"),
        facts={"mode": config.mode, "serve": 'onnxruntime.InferenceSession("{folder}/model.onnx")'},
    )
