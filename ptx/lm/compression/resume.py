"""Resume a killed layer-by-layer compression after its last finished layer.

llm-compressor's sequential pipeline splits a model into stages: the embeddings, one per decoder layer, the
head. In each stage it runs the calibration rows through the layers while the modifiers observe them, then
compresses, then runs the rows through the compressed layers. :func:`resumable` writes one file per finished
stage with the tensors that the compression changed. Changed tensors are found by digest, so this works for
every kind of modifier. A stage that has a file is not calibrated and not solved again. Its tensors are
restored and the rows run through it, which gives the next stage the same inputs, bit for bit. Activations are
not stored: they can be many times larger than the layers.

Two passes of the pipeline are left out, because nothing reads what they compute: the second one of the last
stage, and the first where no modifier observes a module of the stage. In a small model the output layer,
which is always skipped, is a fifth of the arithmetic.
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

from ptx.files import sync_folder
from ptx.hooks.run import Run
from ptx.lm.progress import replaced
from ptx.lm.seal import damage, seal
from ptx.machine import trim_heap

FILES = "layer-*.safetensors"


def digest(tensor: Tensor) -> str:
    """A hash of a tensor's bytes; xxHash needs a tenth of the time of SHA-256.

    A contiguous tensor on the CPU is not copied.
    """
    plain = tensor.detach().cpu().contiguous().flatten()
    return xxhash.xxh3_128_hexdigest(memoryview(plain.view(torch.uint8).numpy()))


def set_seed(seed: int) -> None:
    """Seed every generator that a compressor draws from."""
    import transformers  # not at the top: whoever imports it first should have made it quiet

    transformers.set_seed(seed)


def fingerprint(module: nn.Module, tensor: Tensor) -> object:
    """A value that differs after compression if ``tensor`` was changed.

    It is the hash of the tensor. For an embedding, which no stage compresses, it is the address and the write
    counter: a hash would read the whole embedding from the model's file.
    """
    # torch has no public name for the write counter
    if isinstance(module, nn.Embedding):
        return tensor.data_ptr(), tensor._version  # noqa: SLF001
    return digest(tensor)


Fill = Callable[[Sequence[nn.Module]], None]


@contextmanager
def resumable(run: Run, network: nn.Module, fill: Fill | None = None) -> Iterator[None]:
    """Let llm-compressor's sequential pipeline keep finished stages in ``run.checkpoints`` and reuse them.

    With ``fill`` no row runs through the model: before a stage is compressed, ``fill`` gives its modules what
    the modifiers would have measured.
    """
    from llmcompressor.pipelines.sequential import pipeline

    # the pipeline has no public hook for this
    batches, ended = pipeline._get_batches, pipeline.LifecycleCallbacks.sequential_epoch_end  # noqa: SLF001
    stages = _Stages(run, network, batches, ended)
    if fill is not None:
        stages.fill, stages.given = fill, True

    class Callbacks(pipeline.LifecycleCallbacks):  # type: ignore[misc]
        @classmethod
        def sequential_epoch_end(cls, modules: list[nn.Module], **_: Any) -> None:
            stages.finish(modules)

    with (
        replaced(pipeline, "_get_batches", stages.batches),
        replaced(pipeline, "LifecycleCallbacks", Callbacks),
        stage_modules(network, stages.parts),
    ):
        yield


@contextmanager
def stage_modules(network: nn.Module, parts: list[list[nn.Module]]) -> Iterator[None]:
    """Fill ``parts`` with the modules of each stage as soon as the pipeline knows them."""
    from llmcompressor.pipelines.sequential import pipeline

    trace = pipeline.trace_subgraphs

    def traced(*arguments: Any, **options: Any) -> Any:
        found = trace(*arguments, **options)
        parts[:] = [list(one.submodules(network)) for one in found]
        return found

    with replaced(pipeline, "trace_subgraphs", traced):
        yield


def is_read(desc: str, modules: Sequence[nn.Module]) -> bool:
    """Whether anything reads what a pass computes, ``(3/6): Calibrating`` or ``(3/6): Propagating``.

    AutoRound's next stage reads what the calibration of the one before gives.
    """
    stage, _, stages = desc[1 : desc.index(")")].partition("/")
    if desc.endswith("Propagating") or (stage != stages and _calibration_goes_on()):
        return stage != stages
    # private names of torch: there is no public way to ask
    return any(module._forward_hooks or module._forward_pre_hooks for module in modules)  # noqa: SLF001


def _calibration_goes_on() -> bool:
    """Whether stages get the inputs of the uncompressed model, as the pipeline decides for AutoRound."""
    from llmcompressor.core import active_session

    found = active_session().lifecycle.recipe.modifiers
    return any(type(one).__name__ == "AutoRoundModifier" for one in found)


@contextmanager
def fx_wrappers_removed() -> Iterator[None]:
    """Remove the functions that llm-compressor registers with ``torch.fx.wrap`` to trace a model.

    Their namespaces refer to the model, so it would never be freed.
    """
    from torch.fx import _symbolic_trace

    wrapped = _symbolic_trace._wrapped_fns_to_patch  # noqa: SLF001 (no public way to unwrap)
    before = set(wrapped)
    try:
        yield
    finally:
        for key in set(wrapped) - before:
            del wrapped[key]


class _Stages:
    """The stages of one run of the pipeline, counted from 0, and the files of the finished ones."""

    def __init__(
        self, run: Run, network: nn.Module, batches: Callable[..., Any], compress: Callable[..., Any]
    ) -> None:
        self.run, self.network = run, network
        self.names = {id(module): name for name, module in network.named_modules()}
        self.original, self.compress = batches, compress
        self.fill: Fill = lambda _: None
        self.given = False
        self.parts: list[list[nn.Module]] = []
        self.stage = 0
        self._put_aside_damaged()
        if finished := len(list(run.checkpoints.glob(FILES))):
            run.say(f"resuming after the {finished} stages that an earlier attempt finished")

    def _put_aside_damaged(self) -> None:
        """Rename the files of stages that have changed since they were written.

        Only that stage is solved again: it gives the same tensors, so the files of later stages still hold. A
        file without a seal is as new as the kill.
        """
        for file in sorted(self.run.checkpoints.glob(FILES)):
            if not _seal_of(file).is_file():
                file.unlink()
            elif fault := damage(_seal_of(file)):
                aside = file.rename(file.with_suffix(".damaged"))
                self.run.say(f"a finished stage is damaged ({fault}) and solved again; it is kept in {aside}")

    def file(self) -> Path:
        """The file of the current stage."""
        return self.run.checkpoints / FILES.replace("*", f"{self.stage:04d}")

    def batches(self, activations: Any, count: int, names: Any, desc: str, *rest: Any) -> Iterator[Any]:
        """The pipeline's batches; none where nothing reads what they give.

        So it is in the calibration of a stage that has a file, and everywhere if the statistics are given.
        """
        restored = desc.endswith("Calibrating") and self.file().is_file()
        # a stage's number is counted up between its two passes
        part = self.parts[min(self.stage, len(self.parts) - 1)] if self.parts else []
        if not self.given and not restored and is_read(desc, part):
            yield from self.original(activations, count, names, desc, *rest)

    def finish(self, modules: Sequence[nn.Module]) -> None:
        """Compress the stage and write the changed tensors, or restore them from the stage's file.

        The global generator is seeded per stage: the numbers that a modifier draws must not depend on how
        many stages this process has compressed.
        """
        kept = self.file().is_file()
        if kept:
            self._restore(load_file(self.file()))
        else:
            before = {name: fingerprint(module, tensor) for module, name, tensor in self._tensors(modules)}
            set_seed(self.run.seed + self.stage)
            self.fill(modules)
            self.compress(modules)
            changed = {
                name: tensor
                for module, name, tensor in self._tensors(modules)
                if before.get(name) != fingerprint(module, tensor)
            }
            _write(self.file(), changed)
        trim_heap()
        self.run.event("stage_finished", stage=self.stage, kept=kept)
        self.stage += 1

    def _tensors(self, modules: Sequence[nn.Module]) -> Iterator[tuple[nn.Module, str, Tensor]]:
        """(Module, full name, tensor) of every parameter and buffer that one of ``modules`` owns directly."""
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
            current = getattr(module, name, None)
            if isinstance(current, nn.Parameter) or current is None:
                setattr(module, name, nn.Parameter(tensor.to(self.run.device), requires_grad=False))
            else:
                module.register_buffer(name, tensor.to(self.run.device))


def _write(file: Path, tensors: dict[str, Tensor]) -> None:
    """Write ``tensors`` to ``file`` atomically, and seal it."""
    part = file.with_suffix(".part")
    save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, part)
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.rename(file)
    sync_folder(file.parent)
    seal([file], _seal_of(file))


def _seal_of(file: Path) -> Path:
    return file.with_suffix(".seal.json")
