"""Statistics of the inputs of a model's linear layers, measured once and shared by many compressions.

GPTQ and SparseGPT solve each layer with its Hessian X'X, Wanda with the norms of its inputs, AWQ with the
mean magnitudes of its inputs. Where these inputs are those of the *uncompressed* model, they depend on the
model and on the calibration rows alone: on no method, number of bits or sparsity. So they are a product in
the store (:meth:`ptx.Run.product`), and the second point of a sweep only solves.

What is given up: the papers run the layers in order, each on the outputs of the compressed ones before it
(``statistics=sequential``), so a layer is also fitted to the errors in its input. Such inputs cannot be
shared. docs/explanation/compression.md says what the difference was in numbers.

The rows go through the model layer by layer, in llm-compressor's pipeline, and once instead of twice: nothing
is compressed, so the outputs of the pass that measures are the inputs of the next layer. Layers that read the
very same tensor (q, k and v; gate and up) share one entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ptx import ModelRef, Run, StepError, machine
from ptx.files import digest_of, read_json
from ptx.lm.compression.network import targeted_matrices
from ptx.lm.compression.oneshot import run_pipeline
from ptx.lm.compression.resume import is_read, stage_modules
from ptx.lm.progress import replaced

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Batch = dict[str, Tensor]
INDEX = "index.json"
NAME = "layer_inputs"
LIBRARIES = ("llmcompressor", "compressed-tensors", "transformers", "torch")


@dataclass(frozen=True)
class Statistics:
    """What was measured of each layer's input (C features), read from a folder when it is asked for."""

    folder: Path

    @cached_property
    def entries(self) -> dict[str, tuple[str, str, int]]:
        """The layers by name: file, name of the input in it, and tokens."""
        found = read_json(self.folder / INDEX)
        return {layer: (str(file), str(name), int(count)) for layer, (file, name, count) in found.items()}

    def __contains__(self, layer: str) -> bool:
        """False for a layer that no calibration token has reached."""
        return layer in self.entries

    def squares(self, layer: str) -> Tensor:
        """The mean square of each feature, (C,)."""
        return self._read(layer, "squares")

    def norms(self, layer: str) -> Tensor:
        """The norm of each feature over all tokens, (C,)."""
        return (self.squares(layer) * self.entries[layer][2]).sqrt()

    def magnitudes(self, layer: str) -> Tensor:
        """The mean magnitude of each feature, (C,)."""
        return self._read(layer, "magnitudes")

    def hessian(self, layer: str) -> Tensor:
        """The mean over tokens of x x', (C, C)."""
        return self._read(layer, "hessian")

    def given_to(self, modifiers: Sequence[Any]) -> Callable[[Sequence[nn.Module]], None]:
        """A function that gives modules of a stage what the modifiers would have measured of them."""

        def fill(modules: Sequence[nn.Module]) -> None:
            for modifier in modifiers:
                own = getattr(modifier, "_module_names", {})
                for module in modules:
                    name = own.get(module, "").rstrip(".")  # SparseGPT's end in a dot
                    if name in self:
                        _give(modifier, module, name, self)

        return fill

    def _read(self, layer: str, what: str) -> Tensor:
        file, name, _ = self.entries[layer]
        with safe_open(self.folder / file, framework="pt") as tensors:
            return torch.as_tensor(tensors.get_tensor(f"{name}.{what}"))


def shared_statistics(
    run: Run,
    model: ModelRef,
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    batches: list[Batch],
    *,
    hessians: bool = True,
) -> Statistics:
    """The statistics of ``network``, which is ``model`` uncompressed: from the store, or measured now.

    Without ``hessians`` they are a few vectors; those of a product that holds Hessians as well are the same.
    """
    layers = {
        name: one.module
        for name, one in targeted_matrices(network, []).items()
        if isinstance(one.module, nn.Linear)
    }
    asked = _ingredients(run, model, network, batches, layers) | {"hessians": hessians}
    if not hessians:
        full = asked | {"hessians": True}
        asked = full if run.has_product(NAME, full) else asked

    def build(folder: Path) -> None:
        size = sum(4 * module.in_features**2 for module in layers.values()) if hessians else 0
        of = f" (below {size / 1e9:.1f} GB)" if size > 1e9 else ""
        run.say(f"measuring the inputs of {len(layers)} layers{of}, once for all that share them")
        measure(run, network, tokenizer, batches, _Collector(folder, layers, hessians=hessians))

    return Statistics(run.product(NAME, asked, build))


def _ingredients(
    run: Run, model: ModelRef, network: PreTrainedModel, batches: list[Batch], layers: dict[str, nn.Linear]
) -> dict[str, Any]:
    """Everything that decides the statistics."""
    return {
        "weights": model.digest or ModelRef.of(model.path).digest,
        "rows": digest_of([batch["input_ids"].tolist() for batch in batches]),
        "dtype": str(network.dtype),
        "layers": digest_of(sorted(layers)),
        "device": run.device,
        "libraries": machine.versions(LIBRARIES),
        "holds": "means over tokens, version 1",
    }


def measure(
    run: Run,
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    batches: list[Batch],
    collector: _Collector,
) -> None:
    """Run the rows through ``network`` once, layer by layer, and let ``collector`` see the inputs."""
    from llmcompressor.modifiers import Modifier
    from llmcompressor.pipelines.sequential import pipeline

    class Nothing(Modifier):  # type: ignore[misc]
        """Changes nothing: the pipeline runs for its modifiers."""

        requires_calibration_data: bool = True

        def on_initialize(self, **_: Any) -> bool:
            return True

        def on_finalize(self, **_: Any) -> bool:
            return True

    original = pipeline._get_batches  # noqa: SLF001 (the pipeline has no public hook for this)
    parts: list[list[nn.Module]] = []

    def stages(activations: Any, count: int, names: Any, desc: str, *rest: Any) -> Iterator[Any]:
        if desc.endswith("Propagating"):
            if is_read(desc, []) or any(module in collector.modules for module in parts[collector.stage]):
                yield from original(activations, count, names, desc, *rest)
            collector.write()

    with collector.watching(), replaced(pipeline, "_get_batches", stages), stage_modules(network, parts):
        run_pipeline(run, network, tokenizer, [Nothing()], batches)
    collector.finish()


@dataclass
class _Input:
    """The sums over one tensor that one or more layers read."""

    layers: list[str]
    tokens: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, x: Tensor, *, hessians: bool) -> None:
        """Add tokens, (..., C)."""
        x = x.detach().flatten(0, -2).float()
        self.tokens += len(x)
        self._plus("squares", x.double().square().sum(0))
        self._plus("magnitudes", x.double().abs().sum(0))
        if hessians:
            if "hessian" not in self.sums:
                self.sums["hessian"] = x.new_zeros(x.shape[1], x.shape[1])
            self.sums["hessian"].addmm_(x.T, x)

    def _plus(self, name: str, value: Tensor) -> None:
        self.sums[name] = self.sums[name] + value if name in self.sums else value

    def means(self) -> dict[str, Tensor]:
        """The means over tokens, by what they are."""
        return {name: (total / self.tokens).float().cpu() for name, total in self.sums.items()}


class _Collector:
    """Sums over the inputs of layers; what belongs to a finished stage is written and forgotten."""

    def __init__(self, folder: Path, layers: dict[str, nn.Linear], *, hessians: bool) -> None:
        self.folder, self.layers, self.hessians = folder, layers, hessians
        self.modules = set(layers.values())
        self.inputs: dict[str, _Input] = {}  # layer -> its input, in the present stage
        self.index: dict[str, tuple[str, str, int]] = {}
        self.last: tuple[Tensor, _Input] | None = None
        self.stage = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the context is open, every call of a layer is seen."""
        hooks = [module.register_forward_pre_hook(self._before(name)) for name, module in self.layers.items()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _before(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _module, inputs: self._see(name, inputs[0])

    def _see(self, name: str, x: Tensor) -> None:
        """Add a tensor that layer ``name`` reads, unless the layer before has read the very same one."""
        if self.last is not None and self.last[0] is x:
            one = self.inputs.setdefault(name, self.last[1])
            if one is self.last[1]:
                if name not in one.layers:
                    one.layers.append(name)
                return
        one = self.inputs.setdefault(name, _Input([name]))
        if one.layers[0] != name:
            raise StepError(
                f"{name} read the input of {one.layers[0]} for some rows, and not for others; use"
                " statistics=sequential"
            )
        one.add(x, hessians=self.hessians)
        self.last = (x, one)

    def write(self) -> None:
        """Write what the present stage has seen; the next stage begins."""
        found = {one.layers[0]: one for one in self.inputs.values()}
        if found:
            file = f"stage-{self.stage:04d}.safetensors"
            tensors = {
                f"{name}.{what}": mean for name, one in found.items() for what, mean in one.means().items()
            }
            save_file(tensors, self.folder / file)
            self.index |= {
                layer: (file, name, one.tokens) for name, one in found.items() for layer in one.layers
            }
        self.inputs, self.last, self.stage = {}, None, self.stage + 1

    def finish(self) -> None:
        """Write where the statistics of each layer are."""
        (self.folder / INDEX).write_text(json.dumps(self.index), encoding="utf-8")


def _give(modifier: Any, module: Any, name: str, statistics: Statistics) -> None:
    """Put the statistics of one layer where GPTQ, SparseGPT or Wanda keep them."""
    if (vectors := getattr(modifier, "_row_scalars", None)) is not None:
        vectors[module] = statistics.squares(name).to(module.weight.device)
    elif (matrices := getattr(modifier, "_hessians", None)) is not None:
        matrices[module] = statistics.hessian(name).to(module.weight.device)
    else:
        return
    modifier._num_samples[module] = torch.ones(())  # noqa: SLF001 (they are means already)
