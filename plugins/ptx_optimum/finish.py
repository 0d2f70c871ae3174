"""What the other environment wrote, opened here and held against the model; the figures go into the record and the package."""

from __future__ import annotations

from dataclasses import asdict

from ptx.errors import StepError
from ptx.lm.dense import open_plain
from ptx.lm.fidelity import Fidelity, compare, logits_of, own_text
from ptx.lm.load import load_tokenizer
from ptx.models import inspect
from ptx.packages import read_package, write_package
from ptx.records import ModelRef
from ptx.run import Run
from ptx_optimum import OnnxOptimum
from ptx_optimum.model import GRAPH, OrtLanguageModel

EXACT_KL = 1e-6  # nats per token: float32 in another order of additions costs around 1e-12


def finish(run: Run, config: OnnxOptimum, model: ModelRef, made: ModelRef) -> ModelRef:
    """Compare, and describe the package.

    Raises:
        StepError: the package is not the model (the figures are in the text).
    """
    if not (made.path / GRAPH).is_file():
        raise StepError(f"the export left no {GRAPH} in its folder")
    network, tokenizer = open_plain(model), load_tokenizer(model.path)
    lm = OrtLanguageModel(made.path)
    try:
        found = compare(logits_of(network), lm, own_text(network, tokenizer, run.seed))
    finally:
        lm.close()
    figures = f"KL {found.kl.value:.3g} nats per token, {found.flips.value:.1%} of {found.kl.n} tokens flip"
    run.say(f"{config.mode}: {figures}")
    check(config, found, figures)
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


def check(config: OnnxOptimum, found: Fidelity, figures: str) -> None:
    """A package that is not the model must not be measured as if it were."""
    if config.mode == "fp32" and not found.kl.value <= EXACT_KL:
        raise StepError(f"the fp32 package is not the model: {figures}; float32 in another order would give less than {EXACT_KL:g}")
    if not found.perplexity_ratio <= config.max_perplexity_ratio:
        raise StepError(
            f"the {config.mode} package has {found.perplexity_ratio:.3g} times the model's perplexity on the model's own text ({figures}), "
            f"allowed are {config.max_perplexity_ratio:g}; try runtime.mode=dynamic or runtime.max_perplexity_ratio=2"
        )
