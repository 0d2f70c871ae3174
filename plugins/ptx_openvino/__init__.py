"""``runtime=openvino``: OpenVINO serves a package made by optimum-intel, on the CPU.

optimum-intel pins a transformers version that conflicts with that of ptx, so the export runs in an
environment of its own (``requirements.txt`` in this folder). The package needs none of it: OpenVINO opens it
here. Compared with ``runtime=onnx`` it reads prompts faster and decodes at most as fast (figures:
docs/explanation/runtimes.md).
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

PRECISIONS = ("int8", "int4", "fp32")
ALGORITHMS = ("rtn", "awq", "scale_estimation", "gptq")
COMPUTE = ("auto", "float32")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


@dataclass
class OpenVino(Runtime):
    """OpenVINO on the CPU.

    The number of threads is ``threads=`` (``eval.latency.threads`` where latency is measured).
    """

    exports: ClassVar[bool] = True
    precision: str = setting(
        "int8",
        "weights: int8 (a scale per output), int4 (the output layer and a tied embedding stay in 8 bits) or"
        " fp32",
    )
    group_size: int = setting(
        32,
        "int4: neighbouring weights that share a scale; a layer that it does not divide has a smaller group",
    )
    symmetric: bool = setting(False, "no zero point; false stores one per scale")
    algorithm: str = setting(
        "rtn",
        "int4, how weights are rounded: rtn (to nearest), awq (scaled by their own size), scale_estimation or"
        " gptq (both on text that the model writes)",
    )
    calibration_rows: int = setting(
        32, "scale_estimation and gptq: texts of 48 tokens, written by the model itself"
    )
    compute: str = setting(
        "auto",
        "auto: the fastest on this CPU, with int8 activations inside a product and bfloat16 where the CPU has"
        " it; or float32",
    )
    max_perplexity_ratio: float = setting(
        1.25,
        "a quantised package passes if its perplexity on the model's own text, divided by the model's, is at"
        " most this",
    )
    tries: int = setting(
        4,
        "packages that are written at most, the smallest first, of which the first that passes is kept: as"
        " asked, then with 8 bits where rounding costs the most; 1: as asked, or the step fails",
        identity=False,  # what passes is the same under any limit
    )
    batch_size: int = setting(8, "prompts of one length that are served together", identity=False)
    python: str = setting(
        "", "Python of the environment that exports; default: $PTX_STEP_PYTHON", identity=False
    )

    def __post_init__(self) -> None:
        must_be_one_of("runtime.precision", self.precision, PRECISIONS, "int8")
        must_be_one_of("runtime.algorithm", self.algorithm, ALGORITHMS, "gptq")
        must_be_one_of("runtime.compute", self.compute, COMPUTE, "auto")
        for name, least in (("group_size", 16), ("calibration_rows", 1), ("batch_size", 1), ("tries", 1)):
            must_be_at_least(f"runtime.{name}", getattr(self, name), least, 32)
        must_be_more_than("runtime.max_perplexity_ratio", self.max_perplexity_ratio, 1, 1.25)
        if self.algorithm != "rtn" and self.precision != "int4":
            raise ValueError(
                f"runtime.algorithm={self.algorithm} needs runtime.precision=int4, got {self.precision};"
                " leave runtime.algorithm=rtn"
            )

    @property
    def properties(self) -> dict[str, Any]:
        """Return the properties with which OpenVINO opens the package.

        By default it computes in bfloat16 where the CPU supports that, in float32 packages too.
        """
        if self.compute == "auto" and self.precision != "fp32":
            return {}
        return {
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
        }

    def outside(self) -> Outside:
        """Return the export's script, and the Python that runs it."""
        return Outside(Path(__file__).with_name("elsewhere.py"), self.python, "runtime.python", REQUIREMENTS)


@hookimpl
def ptx_choices() -> list[Choice]:
    """``runtime=openvino``."""
    about = "OpenVINO on the CPU: fp32, int8, int4, exported by optimum-intel in an environment of its own"
    libraries = ("openvino", "transformers", "torch")
    return [Choice("runtime", "openvino", OpenVino, about, libraries, version="2")]


@hookimpl
def ptx_searchpath() -> list[str]:
    """``runtime=openvino_int4``, ...: named settings that a sweep can mix."""
    return [str(Path(__file__).parent / "conf")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path) -> list[Problem]:
    """Report what the other environment cannot read, and what is missing here."""
    if not isinstance(config.runtime, OpenVino):
        return []
    from ptx.lm.serving.plain_weights_only import problems as plain_problems
    from ptx_openvino.checks import problems

    return [
        *plain_problems(config, model, "openvino", "openvino", "openvino"),
        *problems(config.runtime, model),
    ]


@hookimpl(wrapper=True)
def ptx_export(
    run: Run, runtime: Runtime, model: ModelRef
) -> Generator[None, ModelRef | None, ModelRef | None]:
    """Open the package from the other environment here and compare it with the model."""
    made = yield
    if made is None or not isinstance(runtime, OpenVino):
        return made
    from ptx.lm.load import quiet

    quiet()
    from ptx_openvino.finish import finish

    return finish(run, runtime, model, made)


@hookimpl
def ptx_load(runtime: Runtime, model: ModelRef) -> Any | None:
    """Open the package."""
    if not isinstance(runtime, OpenVino):
        return None
    from ptx.models.package import read_package
    from ptx_openvino.model import OpenVinoLanguageModel

    return OpenVinoLanguageModel(model.path, read_package(model.path)["properties"], runtime.batch_size)
