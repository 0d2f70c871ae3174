"""One-shot compression with llm-compressor, with the checks that it leaves out.

``compress`` is the whole step: load a fresh copy from disk, calibrate on a seeded sample, run the modifiers,
save. A plugin brings the modifiers. ``edit`` is the same for a compressor that does the work itself. What was
saved is read back and checked by ``ptx_checks``, as everything that a compressor makes.

What llm-compressor 0.14 does by itself, and what is done about it here:

- its calibration sampler draws from the global generator: the sample and its order are drawn here, from the
  run's seed
- its collator cuts every row of a batch to the shortest: batches are made here, of rows of one length
- a killed walk starts over: here it goes on after the last finished layer (:mod:`ptx.lm.compression.resume`)
- its session is one per process and keeps what the last compression left: reset before and after
- it prunes an output layer named in ``ignore`` literally, and accepts patterns that match nothing: patterns
  are written here, from the layers' names
- its log goes to stdout and its bars to stderr: bars become the run's progress, the one warning that changes
  the result is passed on
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ptx import DataSet, ModelRef, Run, StepError
from ptx.files import read_json
from ptx.lm.compression.calibration import bucketed, draw
from ptx.lm.compression.resume import resumable, unwrapped
from ptx.lm.load import base_of, is_adapter, load_model, load_tokenizer
from ptx.lm.progress import Pace, replaced, reported_bars, unpacking
from ptx.machine import freed_at_once
from ptx.models.inspection import tensors_of, weight_files

Batch = dict[str, Tensor]
Layers = dict[str, nn.Linear]
Weights = Mapping[str, Tensor]
Check = Callable[[Weights, Layers], dict[str, float]]


class Sample(Protocol):
    """How much a compressor is calibrated on."""

    samples: int
    max_length: int


class Settings(Sample, Protocol):
    """What every one-shot compressor of linear layers can be told."""

    skip: list[str]


def compress(
    run: Run,
    model: ModelRef,
    data: DataSet | None,
    settings: Settings,
    modifier: Callable[[list[str]], Any],
    check: Check | None = None,
    prepare: Callable[[Any, Layers, list[Batch]], None] = lambda *_: None,
) -> ModelRef:
    """Compress ``model`` into ``run.folder / "model"`` with llm-compressor.

    Args:
        run: the run under way.
        model: what to compress; an adapter is merged into its base first.
        data: where the calibration rows come from; needed when ``settings.needs`` says so.
        settings: the compressor's configuration.
        modifier: makes the llm-compressor modifier, or several in order, given the patterns of the layers to
            leave alone.
        check: given the weights before and the layers after, looks at what only the model in memory shows,
            and measures it.
        prepare: looks at the loaded model, its layers and the calibration rows before ``modifier`` is asked.

    Raises:
        StepError: nothing to compress or to calibrate on, or a result other than asked for.
    """
    tokenizer = load_tokenizer(model.path)

    def work(network: Any, layers: Layers) -> None:
        batches = calibrated(run, data, tokenizer, settings, context_of(network))
        prepare(network, layers, batches)
        apply(run, network, tokenizer, modifier(ignored(network, layers)), batches)

    return edit(run, model, settings.skip, work, check, session(run))


def edit(
    run: Run,
    model: ModelRef,
    skip: Sequence[str],
    work: Callable[[Any, Layers], None],
    check: Check | None = None,
    within: AbstractContextManager[None] | None = None,
) -> ModelRef:
    """Load ``model``, let ``work`` change its linear layers in place, measure by ``check``, save; ``within``
    is open until it is saved.
    """
    tokenizer = load_tokenizer(model.path)
    network = load_merged(run, model)
    layers = targeted_layers(network, skip)
    before = weights_before(model, layers) if check else {}
    with within or nullcontext():
        work(network, layers)
        if check:
            run.log(check(before, layers), 1, 1)
        return save(run, network, tokenizer)


def context_of(network: Any) -> int | None:
    """How many tokens the model can read, where its config says so."""
    return getattr(network.config.get_text_config(), "max_position_embeddings", None)


def calibrated(
    run: Run, data: DataSet | None, tokenizer: Any, settings: Sample, context: int | None = None
) -> list[Batch]:
    """The calibration rows of a step, told and recorded with their digest; none for a compressor that needs
    none.
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


def save(run: Run, network: Any, tokenizer: Any, **options: Any) -> ModelRef:
    """Write the compressed model below ``run.folder``, with llm-compressor's ``options``; ``ptx_checks``
    reads it back.
    """
    folder = run.folder / "model"
    with freed_at_once():  # packing takes the place of the weights, layer by layer
        network.save_pretrained(folder, save_compressed=True, **options)
    tokenizer.save_pretrained(folder)
    (folder / "recipe.yaml").unlink(
        missing_ok=True
    )  # the next compression would read it, and stumbles over what SmoothQuant writes there
    return ModelRef.of(folder)


def load_merged(run: Run, model: ModelRef, dtype: str = "") -> Any:
    """A fresh copy from disk (llm-compressor reads ``config.json`` beside it), in the dtype it is stored in
    or another; an adapter is merged.
    """
    network = load_model(model, dtype=dtype or stored_dtype(model), device=run.device)
    if hasattr(network, "merge_and_unload"):
        run.say("merging the adapter into its base before compressing")
        network = network.merge_and_unload()
    if getattr(network.config, "quantization_config", None) is not None:
        raise StepError(
            f"{model.path} is quantised already and cannot be compressed again; prune first:"
            " compress=[sparsegpt,gptq]"
        )
    return network.eval()


def stored_dtype(model: ModelRef) -> str:
    """The dtype that the weights are stored in: compressing must not double what it does not touch."""
    folder = base_of(model.path) if is_adapter(model.path) else model.path
    config = read_json(folder / "config.json")
    name = str(config.get("dtype") or config.get("torch_dtype") or "auto")
    return name if name in ("float32", "bfloat16", "float16") else "auto"


def targeted_layers(network: Any, skip: Sequence[str]) -> Layers:
    """The linear layers to compress, by name: all but the output embedding and those that a pattern of
    ``skip`` is found in.
    """
    linear = {name: module for name, module in network.named_modules() if isinstance(module, nn.Linear)}
    for pattern in skip:
        if not any(re.search(pattern, name) for name in linear):
            raise StepError(
                f"skip pattern {pattern!r} matches no linear layer; there are"
                f" {', '.join(sorted(endings(linear)))}"
            )
    output = network.get_output_embeddings()
    kept = {
        name: module
        for name, module in linear.items()
        if module is not output and not any(re.search(p, name) for p in skip)
    }
    if not kept:
        raise StepError(
            f"no linear layer is left to compress: skip={list(skip)} leaves out all {len(linear)}"
        )
    return kept


def endings(names: Any) -> set[str]:
    """The last parts of module names: ``q_proj``, ``down_proj``, ..."""
    return {name.rpartition(".")[2] for name in names}


def ignored(network: Any, layers: Layers) -> list[str]:
    """Patterns for llm-compressor's ``ignore``: every linear layer that is not to be compressed, by its full
    name.

    Regular expressions, because a literal name is compared with one that carries a trailing dot and so never
    matches.
    """
    others = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name not in layers
    ]
    return [rf"re:{re.escape(name)}\.?$" for name in others]


def calibration_batches(data: DataSet | None, tokenizer: Any, settings: Sample, seed: int) -> list[Batch]:
    """A seeded sample of the calibration rows (:mod:`ptx.lm.compression.calibration`) in batches of rows of
    one length, by default one row each.
    """
    return bucketed(draw(data, tokenizer, settings, seed).rows, getattr(settings, "batch_size", 1))


def apply(run: Run, network: Any, tokenizer: Any, modifier: Any, batches: list[Batch]) -> None:
    """Run one modifier over ``network`` in place, layer by layer, reporting progress."""
    from llmcompressor import oneshot
    from llmcompressor.pipelines import cache
    from llmcompressor.pipelines.sequential import pipeline
    from transformers import set_seed

    set_seed(run.seed)
    recipe = modifier if isinstance(modifier, list) else [modifier]
    # a list is a map-style dataset
    loader: Any = DataLoader(batches, batch_size=None) if batches else None  # type: ignore[arg-type]
    device = replaced(
        pipeline, "get_main_device", lambda: torch.device(run.device)
    )  # it takes a GPU also when told device=cpu
    with reported_bars(layer_progress(run), pipeline, cache), device, resumable(run, network), unwrapped():
        oneshot(
            model=network,
            tokenizer=tokenizer,
            dataset=loader,
            recipe=recipe,
            num_calibration_samples=max(len(batches), 1),
        )


def layer_progress(run: Run) -> Callable[[str, int, int | None], None]:
    """Turns llm-compressor's bars, ``(3/6): Calibrating`` and ``(3/6): Propagating``, into layers done of
    layers in all.
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
    """A fresh llm-compressor session without its log; that a layer could not be compressed as asked is passed
    on.
    """
    from llmcompressor.core import reset_session
    from loguru import logger

    def pass_on(message: Any) -> None:
        if "Hessian" in message.record["message"]:
            run.say(message.record["message"])

    logger.remove()
    handler = logger.add(pass_on, level="WARNING", format="{message}")
    logging.getLogger("torch.fx._symbolic_trace").setLevel(logging.ERROR)  # tracing warns about its own API
    reset_session()
    try:
        with unpacking(), warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="Attempting to save a model with offloaded modules"
            )  # its way of saving
            yield
    finally:
        reset_session()
        logger.remove(handler)


def zero_share(weights: Sequence[Tensor]) -> float:
    """Share of exact zeros over all ``weights``."""
    return float(
        sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
    )


class StoredWeights(Mapping[str, Tensor]):
    """The weights of linear layers as they lie in a model folder, each read when it is asked for: no second
    copy of the model.
    """

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files

    def __getitem__(self, layer: str) -> Tensor:
        with safe_open(self.files[layer], framework="pt") as file:
            tensor: Tensor = file.get_tensor(f"{layer}.weight")
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def weights_before(model: ModelRef, layers: Layers) -> Weights:
    """The weights of ``layers`` before compression: read from the folder where it holds them by these names,
    else copied.

    An adapter's merged weights lie nowhere, and some architectures are stored under other names than their
    modules have.
    """
    stored = (
        {}
        if is_adapter(model.path)
        else {name: file for file in weight_files(model.path) for name, _, _ in tensors_of(file)}
    )
    if all(f"{name}.weight" in stored for name in layers):
        return StoredWeights({name: stored[f"{name}.weight"] for name in layers})
    return {name: layer.weight.detach().cpu().clone() for name, layer in layers.items()}


def logits(network: Any, ids: Tensor) -> Tensor:
    """Logits in float32 on the CPU, (B, T, V)."""
    with torch.no_grad():
        return torch.as_tensor(network(input_ids=ids.to(network.device)).logits).float().cpu()
