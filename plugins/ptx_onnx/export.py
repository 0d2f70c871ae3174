"""The export step: convert the model once, round it in the ways there are, keep the smallest that passes.

The *sources* are ``dense``, the model's plain weights, and ``packed``, the integers of a checkpoint that is
already quantised. Both can apply to a GPTQ checkpoint; its own integers come first, and its weights are
rounded anew only where these do not pass. The unrounded graph has to equal the model, on long texts too;
then only rounding is left to judge.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ptx import ModelRef, Run, StepError
from ptx.lm.load import is_adapter, weights_of
from ptx.lm.serving.dense import is_plain, quantization_of, write_plain
from ptx.lm.serving.fidelity import check
from ptx.lm.serving.mixed import Search, predicted
from ptx.lm.serving.reference import Reference
from ptx.lm.serving.tries import Tried, Try, check_tried, formats_of, smallest_that_passes
from ptx.machine import free_bytes
from ptx.models.inspection import inspect
from ptx.models.package import write_package
from ptx_onnx import Onnx
from ptx_onnx.build import build
from ptx_onnx.graph import Graph, Matrix
from ptx_onnx.mend import convertible, mend
from ptx_onnx.model import OnnxLanguageModel
from ptx_onnx.packed import reason_against, write_olive
from ptx_onnx.ways import FORMATS, Rounder, Way, all_in, asked, prices

SERVE = 'onnxruntime_genai.Model("{folder}"), from Python, C, C++, C# or Java'
INSTEAD = "runtime.precision=int8, runtime.tries=10 or runtime.max_perplexity_ratio=2"
BESIDE = 20.0  # bytes of memory per weight, for a builder and the reference at once
AT_WILL = ("batch_size", "tries")  # settings that do not change the package
Source = Callable[[], tuple[Path, dict[str, Any]]]


def export(run: Run, config: Onnx, model: ModelRef) -> ModelRef:
    """Build a package of ``model`` below ``run.folder``.

    Raises:
        StepError: no way applies, the builder failed, or no package equals the model (with the figures).
    """
    config = as_stored(config, model)
    with ThreadPoolExecutor(max_workers=1) as builder:  # a process of its own builds, a thread waits for it
        # the builder holds a model of its own
        at_once = BESIDE * inspect(weights_of(model.path)).parameters < free_bytes("cpu")
        with threads_shared() if at_once else nullcontext():
            ordered = {
                way: ordered_build(run, config, way, source, builder, at_once=at_once)
                for way, source in sources(run, config, model).items()
            }
            reference = Reference.of(run, model)
        built = {way: build.result() for way, build in ordered.items()}
    export = Export(run, config, model, reference, built)
    for folder in built.values():
        mend(folder, export.reference.network)
    if "dense" in built:
        export.check_unrounded()
    tried = smallest_that_passes(export.tries(), config.max_perplexity_ratio, config.tries)
    return export.finish(tried)


@dataclass
class Export:
    """One export, with what its tries share: the model, its own texts, and the converted graphs."""

    run: Run
    config: Onnx
    model: ModelRef
    reference: Reference
    built: dict[str, Path]  # dense: all in float32; packed: only what the checkpoint left so
    long: dict[str, Any] | None = None
    rounders: dict[str, Rounder] = field(default_factory=dict)  # by graph
    last: Try = field(init=False)  # the package that was measured last

    def check_unrounded(self) -> None:
        """Refuse a graph that is not the model before anything is rounded."""
        lm = OnnxLanguageModel(self.built["dense"])
        what = "the fp32 package" if self.config.precision == "fp32" else "the unrounded package"
        try:
            found = self.reference.compare(lm)
            check(found, what, 1.001, "runtime=hf", exact=True)
            self.long = self.reference.check_long(lm, found, what)
        finally:
            lm.close()

    def tries(self) -> Iterator[list[Try]]:
        """The rounds of tries: the checkpoint's own integers, then its weights in more and more bytes."""
        if self.config.precision == "fp32":
            yield [self.measure("dense", self.built["dense"])]
            return
        if "packed" in self.built:
            yield [self.round(Way("packed", self.asked("packed"), graph="packed"))]
            if self.config.head == "auto":
                plan = all_in(Graph(self.built["packed"]).matrices(), 8, 32)
                yield [self.round(Way("packed, output layer in 8 bits", plan, graph="packed"))]
        if "dense" in self.built:
            yield [self.round(Way("dense", self.asked("dense"), graph="dense"))]
            for way in self.larger():
                yield [self.round(way)]

    def asked(self, name: str) -> dict[str, str]:
        """What the config says of every matrix that is float in a graph."""
        return asked(self.config, Graph(self.built[name]).matrices())

    def larger(self) -> Iterator[Way]:
        """The ways after the one that was asked for."""
        matrices = Graph(self.built["dense"]).matrices()
        if self.config.precision == "int4":
            yield from self.mixed(matrices)
            yield Way("8 bits everywhere", all_in(matrices, 8, 32))
        smaller = all_in(matrices, 8, 16)
        yield Way("8 bits, smaller blocks", smaller)
        yield Way("8 bits, float32 arithmetic", smaller, accuracy=1)

    def mixed(self, matrices: list[Matrix]) -> Iterator[Way]:
        """Ways with a format for each matrix; each is aimed by the packages measured before it."""
        menu = prices(self.reference, matrices, self.config, self.rounder("dense"))
        search = Search(menu, math.log(self.config.max_perplexity_ratio))
        for place, plan in enumerate(search.plans(), 1):
            expected = predicted(menu, plan) * search.off
            yield Way(f"mixed {place} for {expected:.2g} nats", plan, expected)
            search.learn(plan, self.last.distance)

    def rounder(self, graph: str) -> Rounder:
        """What rounds the matrices of one of the graphs."""
        return self.rounders.setdefault(graph, Rounder(self.config))

    def round(self, way: Way) -> Try:
        """Write and compare the package of one way."""
        graph, rounder = Graph(self.built[way.graph]), self.rounder(way.graph)
        accuracy = way.accuracy or self.config.accuracy_level
        for matrix in graph.matrices():
            if matrix.name in way.plan:
                form = FORMATS[way.plan[matrix.name]]
                integers = rounder(matrix, way.plan[matrix.name])
                graph.round(matrix, integers, form.bits, middle=form.zero == "middle", accuracy=accuracy)
        folder = fresh(self.run.folder / f"built-{re.sub(r'[^a-z0-9]+', '-', way.name)}")
        graph.save(folder)
        return self.measure(way.name, folder, way)

    def measure(self, name: str, folder: Path, way: Way | None = None) -> Try:
        """Compare a package with the model."""
        lm = OnnxLanguageModel(folder)
        try:
            found = self.reference.compare(lm)
        finally:
            lm.close()
        size = ModelRef.of(folder, "package").bytes
        made = Try(
            name, folder, size, found, formats_of(way.plan) if way else "", way.expected if way else math.nan
        )
        self.run.say(made.line())
        self.last = made
        return made

    def finish(self, tried: Tried) -> ModelRef:
        """Check the package that is kept, describe it, and remove everything else.

        Raises:
            StepError: it is too far from the model.
        """
        config, kept = self.config, tried.kept
        what = f"the {config.precision} package" + ("" if config.precision == "fp32" else f" ({kept.name})")
        check_tried(tried, what, config.max_perplexity_ratio, INSTEAD, exact=config.precision == "fp32")
        if len(tried.tries) > 1:
            self.run.say(f"taken: {kept.name}, {kept.bytes / 1e6:.1f} MB")
        folder = kept.folder.rename(self.run.folder / "model")
        for other in self.built.values():
            shutil.rmtree(other, ignore_errors=True)
        write_package(folder, "onnx", self.model.digest, self.facts(tried))
        package = ModelRef.of(folder, "package")
        again = requantised(config, self.model, kept.name)
        self.run.event("export", way=kept.name, requantised=again, ways=tried.rows())
        sizes = {"bytes": float(package.bytes), "bytes_before": float(self.model.bytes)}
        self.run.log({**kept.fidelity.numbers(), **sizes}, 1, 1)
        return package

    def facts(self, tried: Tried) -> dict[str, Any]:
        """The further facts in ``package.json``."""
        config = self.config
        libraries = ("onnxruntime-genai", "onnxruntime", "onnx", "onnx_ir")
        return {
            "precision": config.precision,
            "parameters": inspect(weights_of(self.model.path)).parameters,
            "serve": SERVE,
            "settings": {name: value for name, value in asdict(config).items() if name not in AT_WILL},
            "builder": {name: version(name) for name in libraries},
            "way": tried.kept.name,
            "formats": tried.kept.formats,
            "requantised": requantised(config, self.model, tried.kept.name),
            "tries": tried.rows(),
            "long_text": self.long,
            "fidelity": {
                one.name: [asdict(one.fidelity.kl), asdict(one.fidelity.flips)] for one in tried.tries
            },
        }


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
    """Return the builder's inputs by way; each is made when it is called, below ``run.checkpoints / way``."""

    def dense() -> tuple[Path, dict[str, Any]]:
        scratch = fresh(run.checkpoints / "dense")
        if is_plain(model):
            return convertible(model.path, scratch / "simpler"), {}
        run.say(
            "merging the adapter into its base first"
            if is_adapter(model.path)
            else "unpacking the checkpoint first"
        )
        return convertible(write_plain(model, scratch / "plain"), scratch / "simpler"), {}

    def packed() -> tuple[Path, dict[str, Any]]:
        scratch = fresh(run.checkpoints / "packed")
        extra = write_olive(model.path, scratch / "olive")
        return convertible(scratch / "olive", scratch / "simpler"), extra

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


@contextmanager
def threads_shared() -> Iterator[None]:
    """Leave half of the threads to a builder: threads that wait for each other take many times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // 2))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fresh(folder: Path) -> Path:
    """Return ``folder`` after removing what a killed attempt left there."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def ordered_build(
    run: Run, config: Onnx, way: str, source: Source, builder: ThreadPoolExecutor, *, at_once: bool
) -> Future[Path]:
    """Prepare a source, and build its package, the dense one unrounded, beside or before what comes next."""
    folder, extra = source()
    out = fresh(run.folder / f"graph-{way}")
    how = replace(config, precision="fp32") if way == "dense" else config
    threads = torch.get_num_threads()

    def made() -> Path:
        build(how, folder, out, extra, fresh(run.checkpoints / f"{way}-scratch"), threads)
        shutil.rmtree(run.checkpoints / way, ignore_errors=True)
        return out

    building = builder.submit(made)
    if not at_once:
        building.result()
    return building


def requantised(config: Onnx, model: ModelRef, way: str) -> bool:
    """Return whether the weights of a checkpoint that was already quantised were rounded again."""
    return not way.startswith("packed") and config.precision != "fp32" and bool(quantization_of(model.path))
