"""What an exporter in another environment, which reads plain weights alone, must refuse; said before a weight
is loaded. Torch-free.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ptx.config import Compressor, RunConfig
from ptx.errors import Problem
from ptx.files import read_json
from ptx.models.inspection import problems as model_problems
from ptx.models.package import read_package


def problems(config: RunConfig, model: Path, runtime: str, library: str, extra: str) -> list[Problem]:
    """Everything that is wrong with serving ``model``, as the recipe leaves it, on ``runtime``, which serves
    with ``library`` on the CPU.

    ``extra`` is the part of ptx that installs the library.
    """
    plain, found = f"runtime={runtime} exports plain weights", []
    if find_spec(library) is None:
        found.append(Problem(f"runtime={runtime} needs {library}", f"pip install 'ptx[{extra}]'"))
    if config.device == "cuda":
        found.append(
            Problem(
                f"runtime={runtime} serves on the CPU, and device=cuda is given",
                "leave device= out, or take runtime=hf or runtime=vllm",
            )
        )
    if read_package(model):
        return found
    if (model / "adapter_config.json").exists():
        return [
            *found,
            Problem(f"{plain}, and {model} is an adapter", "merge it first, or take runtime=onnx"),
        ]
    if model_problems(model):
        return found
    if "quantization_config" in read_json(model / "config.json"):
        found.append(
            Problem(
                f"{plain}, and those of {model} are packed",
                "take runtime=onnx, which unpacks them or takes them over",
            )
        )
    for name, step in config.chain().items():
        if isinstance(step, Compressor) and step.promise().bits is not None:
            found.append(
                Problem(f"{plain}, and {name} packs them", f"leave {name} out, or take runtime=onnx")
            )
        lora = getattr(step, "lora", None)
        if lora is not None and not lora.merge:
            found.append(
                Problem(
                    f"{plain}, and {name} leaves an adapter (lora.merge=false)",
                    "merge it, or take runtime=onnx",
                )
            )
    return found
