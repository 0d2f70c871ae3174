"""``runtime=onnx_optimum``: plain ONNX Runtime serves a package that optimum-onnx has made, with int8
activations fixed beforehand or as they come.

optimum-onnx pins a transformers that cannot live beside that of ptx, so the export is taken in an environment
of its own (``requirements.txt`` in this folder says which); the package needs none of it: ONNX Runtime opens
it here. Against ``runtime=onnx`` it reads prompts faster and decodes more slowly (docs/runtimes.md has the
figures).
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
    """Plain ONNX Runtime on the CPU; threads follow ``threads=`` (``eval.latency.threads`` where latency is
    measured).
    """

    exports: ClassVar[bool] = True
    mode: str = setting(
        "dynamic",
        "int8 products whose activations are scaled as they come (dynamic) or by ranges from calibration"
        " (static); or fp32",
    )
    per_channel: bool = setting(True, "one scale per output of a matrix; false takes one per matrix")
    calibration_rows: int = setting(
        32, "static: texts of 48 tokens, written by the model itself, from which ranges are taken"
    )
    max_perplexity_ratio: float = setting(
        1.25,
        "the step fails if the quantised package's perplexity on the model's own text is more than so many"
        " times the model's",
    )
    batch_size: int = setting(8, "prompts of one length that are served together", identity=False)
    python: str = setting(
        "", "Python of the environment that exports; default: $PTX_STEP_PYTHON", identity=False
    )

    def __post_init__(self) -> None:
        must_be_one_of("runtime.mode", self.mode, MODES, "dynamic")
        for name in ("calibration_rows", "batch_size"):
            must_be_at_least(f"runtime.{name}", getattr(self, name), 1, 8)
        must_be_more_than("runtime.max_perplexity_ratio", self.max_perplexity_ratio, 1, 1.25)

    def outside(self) -> Outside:
        """The export's script, and the Python that takes it."""
        return Outside(Path(__file__).with_name("elsewhere.py"), self.python, "runtime.python", REQUIREMENTS)


@hookimpl
def ptx_choices() -> list[Choice]:
    """``runtime=onnx_optimum``."""
    about = (
        "plain ONNX Runtime on the CPU: optimum-onnx's dynamic and static int8, exported in an environment of"
        " its own"
    )
    return [Choice("runtime", "onnx_optimum", OnnxOptimum, about, ("onnxruntime", "transformers", "torch"))]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """What the other environment cannot read, and what is missing here."""
    if not isinstance(config.runtime, OnnxOptimum):
        return []
    from ptx.lm.serving.plain_weights_only import problems

    return problems(config, model, "onnx_optimum", "onnxruntime", "onnx")


@hookimpl(wrapper=True)
def ptx_export(
    run: Run, runtime: Runtime, model: ModelRef
) -> Generator[None, ModelRef | None, ModelRef | None]:
    """What comes out of the other environment is opened here and compared with the model."""
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
