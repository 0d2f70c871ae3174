"""One-shot compression with llm-compressor, with the checks that it lacks.

``compress`` is the whole step: it loads a fresh copy of the model from disk, calibrates on a seeded sample,
runs the modifiers of a plugin and saves the result. ``edit`` is the same for a compressor that changes the
weights itself. ``ptx_checks`` reads the saved folder back and checks it, as it does for every compressor.

What llm-compressor 0.14 does, and what this module does instead:

- Its calibration sampler draws from the global generator. Here the sample and its order follow from the run's
  seed.
- Its collator cuts every row of a batch to the shortest. Here a batch holds rows of one length.
- A killed compression starts from the first layer. Here it resumes after the last finished layer
  (:mod:`ptx.lm.compression.resume`).
- There is one session per process, and it keeps state of the last compression. Here it is reset before and
  after.
- It prunes an output layer that ``ignore`` names literally, and accepts patterns that match nothing. Here the
  patterns are made from the layers' names.
- Its log goes to stdout and its bars to stderr. Here bars become the run's progress, and only the warning
  that concerns the result is passed on.
"""

from __future__ import annotations

import importlib
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ptx import DataSet, ModelRef, Run
from ptx.files import read_json, write_json
from ptx.lm.compression.calibration import bucketed, draw
from ptx.lm.compression.linear import as_linear_layers, back_to_own_form
from ptx.lm.compression.network import (
    Layers,
    Weights,
    context_of,
    ignore_patterns,
    load_merged,
    targeted_matrices,
    weights_before,
)
from ptx.lm.compression.resume import fx_wrappers_removed, resumable
from ptx.lm.dtypes import exact_dtype, keep_dtypes
from ptx.lm.load import load_tokenizer
from ptx.lm.progress import Pace, compressed_tensors_bars, replaced, reported_bars
from ptx.machine import freed_at_once

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Batch = dict[str, Tensor]
Check = Callable[[Weights, Layers], dict[str, float]]
Given = Callable[[Sequence[Any]], Callable[[Sequence[Any]], None]]


class Sample(Protocol):
    """How many calibration rows a compressor reads, and how many tokens of each."""

    samples: int
    max_length: int


class Settings(Sample, Protocol):
    """The fields that every one-shot compressor of linear layers has."""

    skip: list[str]


def compress(
    run: Run,
    model: ModelRef,
    data: DataSet | None,
    settings: Settings,
    modifier: Callable[[list[str]], Any],
    check: Check | None = None,
    prepare: Callable[[PreTrainedModel, Layers, list[Batch]], Given | None] = lambda *_: None,
) -> ModelRef:
    """Compress ``model`` into ``run.folder / "model"`` with llm-compressor.

    Args:
        run: the current run.
        model: the model to compress; an adapter is merged into its base first.
        data: the source of the calibration rows; needed when ``settings.needs`` says so.
        settings: the compressor's configuration.
        modifier: makes the llm-compressor modifier, or a list of them in order, from the patterns of the
            layers to leave unchanged.
        check: gets the weights before and the layers after; returns the metrics that only the model in
            memory can give, or raises.
        prepare: gets the loaded model, its layers and the calibration batches before ``modifier`` is called;
            returns ``given`` of :func:`apply`.

    Raises:
        StepError: there is nothing to compress or to calibrate on, or the result is not as configured.
    """
    tokenizer = load_tokenizer(model.path)

    def work(network: PreTrainedModel, layers: Layers) -> None:
        batches = recorded_batches(run, data, tokenizer, settings, context_of(network))
        given = prepare(network, layers, batches)
        apply(run, network, tokenizer, modifier(ignore_patterns(network, layers)), batches, given)

    return edit(run, model, settings.skip, work, check, with_library=True)


def edit(
    run: Run,
    model: ModelRef,
    skip: Sequence[str],
    work: Callable[[PreTrainedModel, Layers], None],
    check: Check | None = None,
    *,
    with_library: bool = False,
) -> ModelRef:
    """Load ``model``, let ``work`` change its matrices in place, log the metrics of ``check``, and save.

    ``with_library`` opens a session of llm-compressor until the model is saved. In it, every matrix is a
    linear layer.
    """
    tokenizer = load_tokenizer(model.path)
    network = load_merged(run, model)
    if with_library:
        as_linear_layers(network)
    layers = targeted_matrices(network, skip)
    before = weights_before(model, layers) if check else {}
    with session(run) if with_library else nullcontext():
        work(network, layers)
        if check:
            run.log(check(before, layers), 1, 1)
        if with_library:
            back_to_own_form(network)
        return save(run, network, tokenizer)


def recorded_batches(
    run: Run,
    data: DataSet | None,
    tokenizer: PreTrainedTokenizerBase,
    settings: Sample,
    context: int | None = None,
) -> list[Batch]:
    """The calibration batches of a step; empty for a compressor that needs no data.

    The event log gets the number of rows and their digest, and the console a line about them.
    """
    if not getattr(settings, "needs", ("calibration",)):
        return []
    sample = draw(data, tokenizer, settings, run.seed, context)
    of = (
        f" ({', '.join(f'{count} of {part}' for part, count in sample.parts.items())})"
        if len(sample.parts) > 1
        else ""
    )
    cut = f", {sample.cut} cut to {max(map(len, sample.rows))} tokens" if sample.cut else ""
    run.event(
        "calibration", rows=len(sample.rows), tokens=sample.tokens, parts=sample.parts, digest=sample.digest
    )
    run.say(f"calibrating on {len(sample.rows)} rows{of}, {sample.tokens} tokens{cut}")
    return bucketed(sample.rows, getattr(settings, "batch_size", 1))


def calibration_batches(
    data: DataSet | None, tokenizer: PreTrainedTokenizerBase, settings: Sample, seed: int
) -> list[Batch]:
    """A seeded sample of calibration rows in batches of rows of one length, by default one row each.

    See :mod:`ptx.lm.compression.calibration`.
    """
    return bucketed(draw(data, tokenizer, settings, seed).rows, getattr(settings, "batch_size", 1))


def save(run: Run, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, **options: Any) -> ModelRef:
    """Write the compressed model to ``run.folder / "model"``, with llm-compressor's ``options``."""
    folder = run.folder / "model"
    with freed_at_once():  # packed weights replace the full ones layer by layer
        network.save_pretrained(folder, save_compressed=True, **options)
    keep_dtypes_of(network, folder)
    ignore_by_both_names(network, folder / "config.json")
    tokenizer.save_pretrained(folder)
    # the next compression would read the recipe, and fails on the one that SmoothQuant writes
    (folder / "recipe.yaml").unlink(missing_ok=True)
    return ModelRef.of(folder)


def keep_dtypes_of(network: PreTrainedModel, folder: Path) -> None:
    """Give what was saved the dtypes of the folder that ``network`` was loaded from."""
    original = Path(network.name_or_path)
    if original.is_dir() and network.dtype == getattr(torch, exact_dtype(original)):
        keep_dtypes(folder, original)


def ignore_by_both_names(network: PreTrainedModel, file: Path) -> None:
    """Let the layers that stayed whole be found by their names in memory, too.

    transformers renames some models as it reads them (Nemotron-H's ``backbone`` is its ``model``). It writes
    ``ignore`` with the names of files and reads it with those in memory, so it would look for packed weights.
    """
    config = read_json(file)
    ignored = (config.get("quantization_config") or {}).get("ignore") or []
    modules = dict(network.named_modules())
    if all(name in modules for name in ignored):
        return
    ignored += [
        name
        for name, module in modules.items()
        if isinstance(module, torch.nn.Linear)
        and getattr(module, "quantization_scheme", None) is None
        and name not in ignored
    ]
    write_json(file, config)


def apply(
    run: Run,
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    modifier: Any,
    batches: list[Batch],
    given: Given | None = None,
) -> None:
    """Apply one modifier, or a list of them, to ``network`` in place, layer by layer, and report progress.

    With ``given`` nothing is calibrated: it makes, from the modifiers, a function that gives the modules of a
    stage what the modifiers would have measured (:meth:`ptx.lm.compression.statistics.Statistics.given_to`).
    """
    recipe = modifier if isinstance(modifier, list) else [modifier]
    with resumable(run, network, given(recipe) if given else None):
        run_pipeline(run, network, tokenizer, recipe, batches[:1] if given else batches)


def run_pipeline(
    run: Run,
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    recipe: list[Any],
    batches: list[Batch],
) -> None:
    """Run llm-compressor's pipeline with some modifiers."""
    from llmcompressor import oneshot
    from llmcompressor.pipelines import cache
    from llmcompressor.pipelines.sequential import pipeline
    from transformers import set_seed

    set_seed(run.seed)
    # a list is a map-style dataset
    loader: Any = DataLoader(batches, batch_size=None) if batches else None  # type: ignore[arg-type]
    # the pipeline uses a GPU even when the run is on the CPU
    device = replaced(pipeline, "get_main_device", lambda: torch.device(run.device))
    bars = reported_bars(layer_progress(run), pipeline, cache)
    with bars, device, fx_wrappers_removed(), norms_left_alone(recipe):
        oneshot(
            model=network,
            tokenizer=tokenizer,
            dataset=loader,
            recipe=recipe,
            num_calibration_samples=max(len(batches), 1),
        )


def norms_left_alone(recipe: list[Any]) -> AbstractContextManager[None]:
    """Keep norms as they are while modifiers run that change none.

    llm-compressor turns norms that multiply by 1 + weight (Gemma) into ordinary ones and back, for modifiers
    that scale or rotate. Adding and subtracting 1 rounds the weight, so others would change it by a bit.
    """
    # the package has a function of the same name
    library = importlib.import_module("llmcompressor.entrypoints.oneshot")
    if any(".transform." in type(modifier).__module__ for modifier in recipe):
        return nullcontext()
    return replaced(library, "norm_calibration_context", lambda _: nullcontext())


def layer_progress(run: Run) -> Callable[[str, int, int | None], None]:
    """A report function for llm-compressor's bars that logs how many layers are done.

    Each layer has two bars, ``(3/6): Calibrating`` and ``(3/6): Propagating``.
    """
    pace = Pace(run)

    def report(label: str, done: int, total: int | None) -> None:
        found = re.match(r"\((\d+)/(\d+)\): (\w+)", label)
        if not found or not total:
            return
        layer, layers, second = int(found[1]) - 1, int(found[2]), found[3] == "Propagating"
        passes = 2 * total
        pace.log(
            {"layers_done": layer, "layers": layers}, layer * passes + second * total + done, layers * passes
        )

    return report


@contextmanager
def session(run: Run) -> Iterator[None]:
    """A fresh llm-compressor session without its log.

    One warning is passed on to the run: that the Hessian of a layer could not be inverted.
    """
    from llmcompressor.core import reset_session
    from loguru import logger

    def pass_on(message: Any) -> None:
        if "Hessian" in message.record["message"]:
            run.say(message.record["message"])

    logger.remove()
    handler = logger.add(pass_on, level="WARNING", format="{message}")
    logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)  # it warns about its own API
    reset_session()
    try:
        with compressed_tensors_bars(), warnings.catch_warnings():
            # llm-compressor always saves a model with offloaded modules
            warnings.filterwarnings("ignore", message="Attempting to save a model with offloaded modules")
            yield
    finally:
        reset_session()
        logger.remove(handler)
