"""``runtime=onnx``: ONNX Runtime GenAI serves a package, on the CPU, that its own model builder converted.

The export is a step. An adapter is merged first, and the builder converts the folder offline, unrounded. The
graph has to equal the model on text that the model writes itself, also on a text longer than its windows.
Then it is rounded as asked; if that is too far from the model, further ways are tried in the order of their
bytes, and the smallest that passes is kept. A checkpoint with packed weights (GPTQ, AWQ as
compressed-tensors) keeps its integers and scales where the builder's format can hold them
(``weights=packed``). Otherwise they are unpacked and rounded again, and the record says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ptx import (
    Choice,
    ModelRef,
    Problem,
    Run,
    RunConfig,
    Runtime,
    hookimpl,
    must_be_at_least,
    must_be_more_than,
    must_be_one_of,
    setting,
)

PRECISIONS = ("auto", "fp32", "int8", "int4")
ALGORITHMS = ("rtn", "k_quant")
BLOCKS = (16, 32, 64, 128, 256)
HEADS = ("auto", "fp32", "int8", "int4")
WEIGHTS = ("auto", "packed", "dense")


@dataclass
class Onnx(Runtime):
    """ONNX Runtime GenAI on the CPU.

    The number of threads is ``threads=`` (``eval.latency.threads`` where latency is measured).
    """

    exports: ClassVar[bool] = True
    precision: str = setting(
        "int4",
        "fp32, int8 or int4 weights (activations stay floating point between layers); auto: as the model is"
        " stored, fp32 where it is dense",
    )
    block_size: int = setting(32, "neighbouring weights that share a scale: 16, 32, 64, 128 or 256")
    symmetric: bool = setting(False, "no zero point; false stores one per block")
    algorithm: str = setting(
        "k_quant",
        "how weights are rounded: k_quant (llama.cpp's least-squares scales) or rtn (to nearest)",
    )
    accuracy_level: int = setting(
        4, "arithmetic inside a product: 4 rounds activations to int8 (fast), 1 computes in float32 (exact)"
    )
    head: str = setting(
        "auto",
        "the output layer and an embedding that is tied to it: auto (as precision), fp32, int8 or int4",
    )
    mixed: bool = setting(
        False,
        "int4 with the most sensitive products (first and last eighth of the layers, every third between) in"
        " int8",
    )
    weights: str = setting(
        "auto",
        "of a packed checkpoint: packed keeps its integers, dense rounds again, auto rounds again only where"
        " the integers do not pass",
    )
    max_perplexity_ratio: float = setting(
        1.25,
        "a quantised package passes if its perplexity on the model's own text, divided by the model's, is at"
        " most this",
    )
    tries: int = setting(
        6,
        "packages that are built at most, in the order of their bytes, until one passes (offsets, smaller"
        " blocks and 8 bits where rounding costs the most); 1: as asked, or the step fails",
        identity=False,  # what passes is the same under any limit
    )
    args: dict[str, Any] = setting({}, "further extra_options of the builder, such as fuse_mlp_gate_up: true")
    batch_size: int = setting(8, "prompts of one length that are served together", identity=False)

    def __post_init__(self) -> None:
        for name, allowed in (
            ("precision", PRECISIONS),
            ("algorithm", ALGORITHMS),
            ("block_size", BLOCKS),
            ("head", HEADS),
            ("weights", WEIGHTS),
            ("accuracy_level", (1, 4)),
        ):
            must_be_one_of(f"runtime.{name}", getattr(self, name), allowed, allowed[-1])
        if self.head not in ("auto", self.precision) and self.precision != "int4":
            raise ValueError(
                f"runtime.head={self.head} needs runtime.precision=int4, got {self.precision}; leave"
                " runtime.head=auto"
            )
        if self.mixed and self.precision != "int4":
            raise ValueError(
                f"runtime.mixed=true needs runtime.precision=int4, got {self.precision}; leave it out"
            )
        must_be_more_than("runtime.max_perplexity_ratio", self.max_perplexity_ratio, 1, 1.25)
        must_be_at_least("runtime.batch_size", self.batch_size, 1, 8)
        must_be_at_least("runtime.tries", self.tries, 1, 6)

    @override
    def for_rollouts(self) -> Onnx:
        """One package in fp32, or in int8 where that is asked: 4 bits sample from another model."""
        return replace(self, tries=1, precision="int8" if self.precision == "int8" else "fp32")


@hookimpl
def ptx_choices() -> list[Choice]:
    """``runtime=onnx``."""
    libraries = (
        "onnxruntime-genai",
        "onnxruntime",
        "onnx",
        "onnx_ir",
        "transformers",
        "torch",
        "compressed-tensors",
    )
    about = "ONNX Runtime GenAI on the CPU: fp32, int8, int4"
    return [Choice("runtime", "onnx", Onnx, about, libraries, version="6")]


@hookimpl
def ptx_searchpath() -> list[str]:
    """``runtime=onnx_fp32``, ``onnx_int8``, ...: named settings that a sweep can mix."""
    return [str(Path(__file__).parent / "conf")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Report what the builder cannot convert, or would convert wrongly without a message."""
    if not isinstance(config.runtime, Onnx):
        return []
    from ptx_onnx.checks import problems

    return problems(config, config.runtime, model)


@hookimpl
def ptx_export(run: Run, runtime: Runtime, model: ModelRef) -> ModelRef | None:
    """Build the package, and compare it with the model."""
    if not isinstance(runtime, Onnx):
        return None
    from ptx.lm.load import quiet

    quiet()
    from ptx_onnx.export import export

    return export(run, runtime, model)


@hookimpl
def ptx_load(runtime: Runtime, model: ModelRef) -> Any | None:
    """Open the package."""
    if not isinstance(runtime, Onnx):
        return None
    from ptx_onnx.model import OnnxLanguageModel

    return OnnxLanguageModel(model.path, runtime.batch_size)
