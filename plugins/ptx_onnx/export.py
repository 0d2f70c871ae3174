"""The export step: build every way that applies, compare each with the model, keep the nearest.

A *way* is the builder's input: ``dense``, the model's plain weights, which the builder rounds itself; or
``packed``, the integers of a checkpoint that is already quantised. Both can apply to a GPTQ checkpoint. Which
one serves it better is measured, not assumed.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ptx import ModelRef, Run, StepError
from ptx.lm.load import is_adapter, weights_of
from ptx.lm.serving.dense import is_plain, open_original, quantization_of, write_plain
from ptx.lm.serving.fidelity import Fidelity, check, compare, logits_of, own_text
from ptx.models.inspection import inspect
from ptx.models.package import write_package
from ptx_onnx import Onnx
from ptx_onnx.build import build
from ptx_onnx.model import OnnxLanguageModel
from ptx_onnx.packed import reason_against, write_olive

SERVE = 'onnxruntime_genai.Model("{folder}"), from Python, C, C++, C# or Java'
INSTEAD = "runtime.precision=int8, runtime.block_size=16, runtime.head=fp32 or runtime.max_perplexity_ratio=2"
Source = Callable[[], tuple[Path, dict[str, Any]]]


def export(run: Run, config: Onnx, model: ModelRef) -> ModelRef:
    """Build a package of ``model`` below ``run.folder``.

    Raises:
        StepError: no way applies, the builder failed, or no package equals the model (with the figures).
    """
    config = as_stored(config, model)
    built = {}
    for way, source in sources(run, config, model).items():
        built[way] = make(run, config, way, source)
    found = measured(run, model, built)
    way = min(found, key=lambda name: nan_last(found[name].kl.value))
    for name, fidelity in found.items():
        run.say(describe(name, fidelity, chosen=name == way and len(found) > 1))
    what = f"the {config.precision} package" + ("" if config.precision == "fp32" else f" ({way})")
    check(found[way], what, config.max_perplexity_ratio, INSTEAD, exact=config.precision == "fp32")
    for other in built.keys() - {way}:
        shutil.rmtree(built[other])
    folder = built[way].rename(run.folder / "model")
    write_package(folder, "onnx", model.digest, facts(config, model, way, found))
    package = ModelRef.of(folder, "package")
    run.event(
        "export",
        way=way,
        requantised=requantised(config, model, way),
        ways={name: one.kl.value for name, one in found.items()},
    )
    run.log({**found[way].numbers(), "bytes": float(package.bytes), "bytes_before": float(model.bytes)}, 1, 1)
    return package


def as_stored(config: Onnx, model: ModelRef) -> Onnx:
    """Return the config with ``precision=auto`` replaced by the model's own precision.

    That is fp32 for dense weights. For packed ones it is the narrowest precision that holds their integers,
    which are kept where that is possible: weights that are rounded again are not as stored.
    """
    if config.precision != "auto":
        return config
    groups = quantization_of(model.path).get("config_groups", {})
    bits = [int(group["weights"]["num_bits"]) for group in groups.values() if group.get("weights")]
    precision = "fp32" if not bits else "int4" if max(bits) <= 4 else "int8"
    packs = bool(bits) and not is_adapter(model.path) and not reason_against(model.path, precision)
    return replace(
        config,
        precision=precision,
        weights="packed" if packs and config.weights == "auto" else config.weights,
    )


def sources(run: Run, config: Onnx, model: ModelRef) -> dict[str, Source]:
    """Return the builder's inputs by way; each is made when it is called."""
    scratch = run.checkpoints

    def dense() -> tuple[Path, dict[str, Any]]:
        if is_plain(model):
            return model.path, {}
        run.say(
            "merging the adapter into its base first"
            if is_adapter(model.path)
            else "unpacking the checkpoint first"
        )
        return write_plain(model, fresh(scratch / "dense")), {}

    def packed() -> tuple[Path, dict[str, Any]]:
        folder = fresh(scratch / "packed")
        return folder, write_olive(model.path, folder)

    if not quantization_of(model.path) or config.weights == "dense":
        return {"dense": dense}
    against = "it is an adapter" if is_adapter(model.path) else reason_against(model.path, config.precision)
    if config.weights == "packed":
        if against:
            raise StepError(
                f"runtime.weights=packed cannot keep the checkpoint's integers: {against}; try"
                " runtime.weights=auto"
            )
        return {"packed": packed}
    if against:
        run.say(f"the checkpoint's integers cannot be kept: {against}")
        return {"dense": dense}
    return {"packed": packed, "dense": dense}


def fresh(folder: Path) -> Path:
    """Return ``folder`` after removing what a killed attempt left there."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def make(run: Run, config: Onnx, way: str, source: Source) -> Path:
    """Build the package of one way; remove its source again where the source was made for this."""
    folder, extra = source()
    out = fresh(run.folder / f"built-{way}")
    build(config, folder, out, extra, fresh(run.checkpoints / "scratch"))
    if folder.is_relative_to(run.checkpoints):
        shutil.rmtree(folder)
    return out


def measured(run: Run, model: ModelRef, built: dict[str, Path]) -> dict[str, Fidelity]:
    """Compare each package with the model, on the same texts, which the model writes."""
    network, tokenizer = open_original(run, model)
    rows = own_text(network, tokenizer, run.seed)
    found = {}
    for way, folder in built.items():
        lm = OnnxLanguageModel(folder)
        try:
            found[way] = compare(logits_of(network), lm, rows)
        finally:
            lm.close()
    return found


def nan_last(value: float) -> float:
    """Return infinity for NaN: it is no measurement, so it never wins."""
    return math.inf if math.isnan(value) else value


def describe(way: str, found: Fidelity, *, chosen: bool) -> str:
    """Return one line for the user."""
    interval = f"[{found.kl.low:.3g}, {found.kl.high:.3g}]"
    return (
        f"{way}: KL to the model {found.kl.value:.3g} {interval} nats per token, {found.flips.value:.2%} of"
        f" {found.kl.n} tokens flip{'; taken' if chosen else ''}"
    )


def requantised(config: Onnx, model: ModelRef, way: str) -> bool:
    """Return whether the builder rounded the weights of a checkpoint that was already quantised."""
    return way == "dense" and config.precision != "fp32" and bool(quantization_of(model.path))


def facts(config: Onnx, model: ModelRef, way: str, found: dict[str, Fidelity]) -> dict[str, Any]:
    """Return the further facts in ``package.json``."""
    return {
        "precision": config.precision,
        "parameters": inspect(weights_of(model.path)).parameters,
        "serve": SERVE,
        "settings": {name: value for name, value in asdict(config).items() if name != "batch_size"},
        "builder": {name: version(name) for name in ("onnxruntime-genai", "onnxruntime", "onnx", "onnx_ir")},
        "way": way,
        "requantised": requantised(config, model, way),
        "head": (
            "fp32"
            if config.precision == "fp32"
            else config.precision
            if config.head == "auto"
            else config.head
        ),
        "fidelity": {name: [asdict(one.kl), asdict(one.flips)] for name, one in found.items()},
    }
