"""What can be said about the export before a weight is loaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ptx import Problem, RunConfig
from ptx.config import Compressor
from ptx.models import problems as model_problems
from ptx.packages import read_package
from ptx.records import read_json

PLAIN = "runtime=onnx_optimum exports plain weights"


def problems(config: RunConfig, model: Path) -> list[Problem]:
    """Everything that is wrong with serving ``model``, as the recipe leaves it, on plain ONNX Runtime."""
    found = []
    if find_spec("onnxruntime") is None:
        found.append(Problem("runtime=onnx_optimum needs onnxruntime", "pip install 'ptx[onnx]'"))
    if config.device == "cuda":
        found.append(
            Problem(
                "runtime=onnx_optimum serves on the CPU, and device=cuda is given", "leave device= out, or take runtime=hf or runtime=vllm"
            )
        )
    if read_package(model):
        return found
    if (model / "adapter_config.json").exists():
        return [*found, Problem(f"{PLAIN}, and {model} is an adapter", "merge it first, or take runtime=onnx")]
    if model_problems(model):
        return found
    if "quantization_config" in read_json(model / "config.json"):
        found.append(Problem(f"{PLAIN}, and those of {model} are packed", "take runtime=onnx, which unpacks them or takes them over"))
    for name, step in config.chain().items():
        if isinstance(step, Compressor) and step.promise().bits is not None:
            found.append(Problem(f"{PLAIN}, and {name} packs them", f"leave {name} out, or take runtime=onnx"))
        lora = getattr(step, "lora", None)
        if lora is not None and not lora.merge:
            found.append(Problem(f"{PLAIN}, and {name} leaves an adapter (lora.merge=false)", "merge it, or take runtime=onnx"))
    return found
