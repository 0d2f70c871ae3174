"""Checks for exporters in another environment that can read only plain weights. Imports no torch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ptx.config import Compressor, RunConfig
from ptx.errors import Problem
from ptx.files import read_json
from ptx.models.inspection import problems as model_problems
from ptx.models.package import read_package
from ptx.models.traits import Traits


def problems(config: RunConfig, model: Path, runtime: str, library: str, extra: str) -> list[Problem]:
    """All problems with serving ``model``, after the steps of the recipe, on ``runtime``.

    The runtime serves with ``library`` on the CPU; ``extra`` is the extra of ptx that installs the library.
    """
    plain, found = f"runtime={runtime} exports plain weights", []
    if find_spec(library) is None:
        found.append(Problem(f"runtime={runtime} needs {library}", f"pip install 'ptx[{extra}]'"))
    if config.device == "cuda":
        found.append(
            Problem(
                f"runtime={runtime} serves on the CPU, and device=cuda is given",
                "leave device= out, or use runtime=hf or runtime=vllm",
            )
        )
    if read_package(model):
        return found
    if (model / "adapter_config.json").exists():
        return [
            *found,
            Problem(f"{plain}, and {model} is an adapter", "merge it first, or use runtime=onnx"),
        ]
    if model_problems(model):
        return found
    found += _config_problems(model, runtime)
    for name, step in config.chain().items():
        if isinstance(step, Compressor) and step.promise().bits is not None:
            found.append(Problem(f"{plain}, and {name} packs them", f"leave {name} out, or use runtime=onnx"))
        lora = getattr(step, "lora", None)
        if lora is not None and not lora.merge:
            found.append(
                Problem(
                    f"{plain}, and {name} leaves an adapter (lora.merge=false)",
                    "merge it, or use runtime=onnx",
                )
            )
    return found


def _config_problems(model: Path, runtime: str) -> list[Problem]:
    """What config.json says that the exporter cannot use."""
    described, found = read_json(model / "config.json"), []
    if Traits.of(described).context is None:
        what = f"runtime={runtime} needs a context length, and config.json of {model} states none"
        found.append(Problem(what, "use runtime=hf"))
    if "quantization_config" in described:
        what = f"runtime={runtime} exports plain weights, and those of {model} are packed"
        found.append(Problem(what, "use runtime=onnx, which exports packed weights"))
    return found
