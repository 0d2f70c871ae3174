"""Open the package from the other environment here, and compare it with the model."""

from __future__ import annotations

from ptx import ModelRef, Run, StepError
from ptx.lm.serving.exported import Limit, compare_and_describe, ways_of
from ptx_openvino import OpenVino
from ptx_openvino.model import GRAPH, OpenVinoLanguageModel


def finish(run: Run, config: OpenVino, model: ModelRef, made: ModelRef) -> ModelRef:
    """Compare the package with the model, and describe it.

    Raises:
        StepError: the package does not equal the model (with the figures).
    """
    if absent := [name for name, way in ways_of(made.path, "").items() if not (way / GRAPH).is_file()]:
        raise StepError(f"the export left no {GRAPH} in its folder {', '.join(absent)}".rstrip())
    options = f", {config.properties}".replace("{", "{{").replace("}", "}}") if config.properties else ""
    return compare_and_describe(
        run,
        "openvino",
        model,
        made,
        lambda folder: OpenVinoLanguageModel(folder, config.properties),
        kind=config.precision,
        limit=Limit(
            config.max_perplexity_ratio,
            "runtime.precision=int8, runtime.algorithm=gptq or runtime.max_perplexity_ratio=2",
        ),
        facts={
            "precision": config.precision,
            "serve": f'openvino.Core().compile_model("{{folder}}/{GRAPH}", "CPU"{options})',
            "properties": config.properties,
        },
    )
