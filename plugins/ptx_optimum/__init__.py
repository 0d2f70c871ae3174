"""``runtime=onnx_optimum``: plain ONNX Runtime serves a package made by optimum-onnx.

Its activations are int8, in static ranges or in dynamic ones. optimum-onnx pins a transformers version that
conflicts with that of ptx, so the export runs in an environment of its own (``requirements.txt`` in this
folder). The package needs none of it: ONNX Runtime opens it here. Compared with ``runtime=onnx`` it reads
prompts faster and decodes more slowly (figures: docs/explanation/runtimes.md).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ptx import (
    Choice,
    ModelRef,
    Outside,
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

MODES = ("dynamic", "static", "fp32")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


@dataclass
class OnnxOptimum(Runtime):
    """Plain ONNX Runtime on the CPU.

    The number of threads is ``threads=`` (``eval.latency.threads`` where latency is measured).
    """

    exports: ClassVar[bool] = True
    mode: str = setting(
        "dynamic",
        "int8 products with activation ranges measured at run time (dynamic) or by calibration (static); or"
        " fp32",
    )
    per_channel: bool = setting(True, "one scale per output of a matrix; false takes one per matrix")
    calibration_rows: int = setting(
        32, "static: texts of 48 tokens, written by the model itself, for measuring the ranges"
    )
    max_perplexity_ratio: float = setting(
        1.25,
        "a quantised package passes if its perplexity on the model's own text, divided by the model's, is at"
        " most this",
    )
    tries: int = setting(
        4,
        "packages that are written at most, the smallest first, of which the first that passes is kept: as"
        " asked, then with the down projections and the output layer in float32; 1: as asked, or the step"
        " fails",
        identity=False,  # what passes is the same under any limit
    )
    batch_size: int = setting(8, "prompts of one length that are served together", identity=False)
    python: str = setting(
        "", "Python of the environment that exports; default: $PTX_STEP_PYTHON", identity=False
    )

    def __post_init__(self) -> None:
        must_be_one_of("runtime.mode", self.mode, MODES, "dynamic")
        for name in ("calibration_rows", "batch_size", "tries"):
            must_be_at_least(f"runtime.{name}", getattr(self, name), 1, 8)
        must_be_more_than("runtime.max_perplexity_ratio", self.max_perplexity_ratio, 1, 1.25)

    def outside(self) -> Outside:
        """Return the export's script, and the Python that runs it."""
        return Outside(Path(__file__).with_name("elsewhere.py"), self.python, "runtime.python", REQUIREMENTS)


@hookimpl
def ptx_choices() -> list[Choice]:
    """``runtime=onnx_optimum``."""
    about = (
        "plain ONNX Runtime on the CPU: optimum-onnx's dynamic and static int8, exported in an environment of"
        " its own"
    )
    libraries = ("onnxruntime", "transformers", "torch")
    return [Choice("runtime", "onnx_optimum", OnnxOptimum, about, libraries, version="2")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Report what the other environment cannot read, and what is missing here."""
    if not isinstance(config.runtime, OnnxOptimum):
        return []
    from ptx.lm.serving.plain_weights_only import problems

    return problems(config, model, "onnx_optimum", "onnxruntime", "onnx")


@hookimpl(wrapper=True)
def ptx_export(
    run: Run, runtime: Runtime, model: ModelRef
) -> Generator[None, ModelRef | None, ModelRef | None]:
    """Open the package from the other environment here and compare it with the model."""
    made = yield
    if made is None or not isinstance(runtime, OnnxOptimum):
        return made
    from ptx.lm.load import quiet

    quiet()
    from ptx_optimum.finish import finish

    return finish(run, runtime, model, made)


@hookimpl
def ptx_load(runtime: Runtime, model: ModelRef) -> Any | None:
    """Open the package."""
    if not isinstance(runtime, OnnxOptimum):
        return None
    from ptx_optimum.model import OrtLanguageModel

    return OrtLanguageModel(model.path, runtime.batch_size)
