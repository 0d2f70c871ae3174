"""A layer-by-layer compression that was killed goes on after the last layer it had finished.

llm-compressor's sequential pipeline takes a model apart into stages (embeddings, one per decoder layer,
head). Per stage it shows the calibration rows to the modifiers, lets them compress, and runs the rows again
through what came out. :func:`resumable` keeps one file per finished stage: the tensors that compressing it
has changed, found by digest, so that no kind of modifier needs to be known. A stage whose file is there is
not calibrated and not solved again; its tensors are put back and the rows run through it, which gives the
next stage bit for bit the same inputs. Nothing is kept of the activations themselves: they can outweigh the
layers many times.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import xxhash
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import set_seed

from ptx.files import sync_folder
from ptx.hooks.run import Run
from ptx.lm.progress import replaced
from ptx.machine import trim_heap

FILES = "layer-*.safetensors"


def digest(tensor: Tensor) -> str:
    """Hash of a tensor's bytes, without a copy of them where it lies in one piece on the CPU; xxHash takes a
    tenth of sha256's time.
    """
    plain = tensor.detach().cpu().contiguous().flatten()
    return xxhash.xxh3_128_hexdigest(memoryview(plain.view(torch.uint8).numpy()))


def mark(module: nn.Module, tensor: Tensor) -> object:
    """What differs when compressing has changed ``tensor``: its hash.

    Of an embedding, which no stage solves, where it lies and how often it was written: hashing would read all
    of it from the model's file.
    """
    # torch's only name for it
    return (tensor.data_ptr(), tensor._version) if isinstance(module, nn.Embedding) else digest(tensor)  # noqa: SLF001


@contextmanager
def resumable(run: Run, network: nn.Module) -> Iterator[None]:
    """While this lasts, llm-compressor's sequential pipeline keeps finished stages in ``run.checkpoints`` and
    takes them from there.
    """
    from llmcompressor.pipelines.sequential import pipeline

    # no public seam
    walk = _Walk(run, network, pipeline._get_batches, pipeline.LifecycleCallbacks.sequential_epoch_end)  # noqa: SLF001

    class Callbacks(pipeline.LifecycleCallbacks):  # type: ignore[misc]
        @classmethod
        def sequential_epoch_end(cls, modules: list[nn.Module], **_: Any) -> None:
            walk.finish(modules)

    with (
        replaced(pipeline, "_get_batches", walk.batches),
        replaced(pipeline, "LifecycleCallbacks", Callbacks),
    ):
        yield


@contextmanager
def unwrapped() -> Iterator[None]:
    """Forget the functions that llm-compressor wraps to trace a model (``torch.fx.wrap``): their namespaces
    hold the model, for good.
    """
    from torch.fx import _symbolic_trace

    wrapped = _symbolic_trace._wrapped_fns_to_patch  # noqa: SLF001 (nothing else unwraps)
    before = set(wrapped)
    try:
        yield
    finally:
        for key in set(wrapped) - before:
            del wrapped[key]


class _Walk:
    """Where the pipeline stands. Stages count from 0."""

    def __init__(
        self, run: Run, network: nn.Module, batches: Callable[..., Any], compress: Callable[..., Any]
    ) -> None:
        self.run, self.network = run, network
        self.names = {id(module): name for name, module in network.named_modules()}
        self.original, self.compress = batches, compress
        self.stage = 0
        if finished := len(list(run.checkpoints.glob(FILES))):
            run.say(f"going on after the {finished} stages that an earlier attempt has finished")

    def file(self) -> Path:
        """Where the stage at hand is kept."""
        return self.run.checkpoints / FILES.replace("*", f"{self.stage:04d}")

    def batches(self, activations: Any, count: int, names: Any, desc: str, *rest: Any) -> Iterator[Any]:
        """The pipeline's rows; none for the calibration of a stage that is there."""
        if not (desc.endswith("Calibrating") and self.file().is_file()):
            yield from self.original(activations, count, names, desc, *rest)

    def finish(self, modules: Sequence[nn.Module]) -> None:
        """Compress the stage and keep what changed, or put back what was kept.

        The global generator is set per stage: a modifier that draws from it must not depend on how many
        stages this process has compressed.
        """
        kept = self.file().is_file()
        if kept:
            self._restore(load_file(self.file()))
        else:
            before = {name: mark(module, tensor) for module, name, tensor in self._tensors(modules)}
            set_seed(self.run.seed + self.stage)
            self.compress(modules)
            changed = {
                name: tensor
                for module, name, tensor in self._tensors(modules)
                if before.get(name) != mark(module, tensor)
            }
            _write(self.file(), changed)
        trim_heap()
        self.run.event("stage_finished", stage=self.stage, kept=kept)
        self.stage += 1

    def _tensors(self, modules: Sequence[nn.Module]) -> Iterator[tuple[nn.Module, str, Tensor]]:
        """Every parameter and buffer that belongs to one of ``modules`` itself: that module, its full name,
        and it.
        """
        for module in modules:
            for name, tensor in [
                *module.named_parameters(recurse=False),
                *module.named_buffers(recurse=False),
            ]:
                if id(module) in self.names:
                    yield module, f"{self.names[id(module)]}.{name}", tensor.detach()

    def _restore(self, kept: dict[str, Tensor]) -> None:
        for full, tensor in kept.items():
            owner, _, name = full.rpartition(".")
            module = self.network.get_submodule(owner)
            there = getattr(module, name, None)
            if isinstance(there, nn.Parameter) or there is None:
                setattr(module, name, nn.Parameter(tensor.to(self.run.device), requires_grad=False))
            else:
                module.register_buffer(name, tensor.to(self.run.device))


def _write(file: Path, tensors: dict[str, Tensor]) -> None:
    """Whole or not at all."""
    part = file.with_suffix(".part")
    save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, part)
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.rename(file)
    sync_folder(file.parent)
