"""What the other environment wrote, opened here and held against the model."""

from __future__ import annotations

from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.serving.exported import compare_and_describe
from ptx.records import ModelRef
from ptx_openvino import OpenVino
from ptx_openvino.model import GRAPH, OpenVinoLanguageModel


def finish(run: Run, config: OpenVino, model: ModelRef, made: ModelRef) -> ModelRef:
    """Compare, and describe the package.

    Raises:
        StepError: the package is not the model (the figures are in the text).
    """
    if not (made.path / GRAPH).is_file():
        raise StepError(f"the export left no {GRAPH} in its folder")
    told = f", {config.properties}".replace("{", "{{").replace("}", "}}") if config.properties else ""
    return compare_and_describe(
        run,
        "openvino",
        model,
        made,
        OpenVinoLanguageModel(made.path, config.properties),
        kind=config.precision,
        most=config.max_perplexity_ratio,
        instead="runtime.precision=int8, runtime.algorithm=gptq or runtime.max_perplexity_ratio=2",
        facts={
            "precision": config.precision,
            "serve": f'openvino.Core().compile_model("{{folder}}/{GRAPH}", "CPU"{told})',
            "properties": config.properties,
        },
    )
