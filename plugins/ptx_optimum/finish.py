"""What the other environment wrote, opened here and held against the model; the figures go into the record and the package."""

from __future__ import annotations

from dataclasses import asdict

from ptx.errors import StepError
from ptx.lm.dense import open_original
from ptx.lm.fidelity import check, compare, logits_of, own_text
from ptx.models import inspect
from ptx.packages import read_package, write_package
from ptx.records import ModelRef
from ptx.run import Run
from ptx_optimum import OnnxOptimum
from ptx_optimum.model import GRAPH, OrtLanguageModel


def finish(run: Run, config: OnnxOptimum, model: ModelRef, made: ModelRef) -> ModelRef:
    """Compare, and describe the package.

    Raises:
        StepError: the package is not the model (the figures are in the text).
    """
    if not (made.path / GRAPH).is_file():
        raise StepError(f"the export left no {GRAPH} in its folder")
    network, tokenizer = open_original(run, model)
    lm = OrtLanguageModel(made.path)
    try:
        found = compare(logits_of(network), lm, own_text(network, tokenizer, run.seed))
    finally:
        lm.close()
    run.say(f"{config.mode}: {found.figures}")
    instead = "runtime.mode=dynamic or runtime.max_perplexity_ratio=2"
    check(found, f"the {config.mode} package", config.max_perplexity_ratio, instead, exact=config.mode == "fp32")
    facts = {
        "mode": config.mode,
        "parameters": inspect(model.path).parameters,
        "serve": 'onnxruntime.InferenceSession("{folder}/model.onnx")',
        "fidelity": [asdict(found.kl), asdict(found.flips)],
    }
    write_package(made.path, "onnx_optimum", model.digest, read_package(made.path) | facts)
    package = ModelRef.of(made.path, "package")
    run.log({**found.numbers(), "bytes": float(package.bytes), "bytes_before": float(model.bytes)}, 1, 1)
    return package
