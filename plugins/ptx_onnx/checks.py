"""Checks of an export that need only ``config.json``, before a weight is loaded."""

from __future__ import annotations

import math
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ptx import Compressor, Problem, RunConfig, did_you_mean
from ptx.files import read_json
from ptx.models.inspection import problems as model_problems
from ptx.models.package import read_package
from ptx_onnx import BLOCKS, Onnx

#: text decoders that the builder of onnxruntime-genai 0.18 converts for the CPU; a test compares them with
#: its source
ARCHITECTURES = (
    "Ernie4_5ForCausalLM",
    "Gemma2ForCausalLM",
    "Gemma3ForCausalLM",
    "GemmaForCausalLM",
    "GraniteForCausalLM",
    "HunYuanDenseV1ForCausalLM",
    "Lfm2ForCausalLM",
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "NemotronForCausalLM",
    "OlmoForCausalLM",
    "Phi3ForCausalLM",
    "PhiForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "SmolLM3ForCausalLM",
)
HEAD_MULTIPLE = 16
OPTION = re.compile(r"^ {16}(\w+) = ", re.MULTILINE)
MODULES = {
    "onnxruntime_genai": "onnxruntime-genai",
    "onnxruntime": "onnxruntime",
    "onnx": "onnx",
    "onnx_ir": "onnx_ir",
}


def problems(config: RunConfig, runtime: Onnx, model: Path) -> list[Problem]:
    """Return every problem of serving ``model``, as the recipe leaves it, on ONNX Runtime."""
    found = []
    if missing := [name for module, name in MODULES.items() if find_spec(module) is None]:
        found.append(Problem(f"runtime=onnx needs {', '.join(missing)}", "pip install 'ptx[onnx]'"))
    found += argument_problems(runtime)
    if config.device == "cuda":
        found.append(
            Problem(
                "runtime=onnx serves on the CPU, and device=cuda is given",
                "leave device= out, or use runtime=hf or runtime=vllm",
            )
        )
    if read_package(model) or model_problems(model):
        return found  # a package is built already; the core reports the problems of a model
    described = read_json(model / "config.json")
    packs = "quantization_config" in described or any(
        isinstance(step, Compressor) for step in config.chain().values()
    )
    if runtime.weights == "packed" and not packs:
        what = f"runtime.weights=packed, but {model} is not quantised and nothing in the run quantises it"
        found.append(Problem(what, "leave runtime.weights=auto, or add compress=[gptq]"))
    text = described.get("text_config") or described
    return (
        found
        + architecture_problems(model, described)
        + head_problems(model, text)
        + block_problems(runtime, text)
    )


def argument_problems(runtime: Onnx) -> list[Problem]:
    """Report names under ``runtime.args`` that the builder does not know; it would ignore them."""
    builder = find_spec("onnxruntime_genai")
    if not runtime.args or builder is None or builder.origin is None:
        return []
    source = (Path(builder.origin).parent / "models" / "builder.py").read_text(encoding="utf-8")
    known = sorted(set(OPTION.findall(source)))  # its help has a line "name = what it does" for every option
    return [
        Problem(f"runtime.args: the model builder has no option {n!r}", did_you_mean(n, known))
        for n in runtime.args
        if n not in known
    ]


def architecture_problems(model: Path, described: dict[str, Any]) -> list[Problem]:
    """Report an architecture that the builder does not know."""
    names = [str(name) for name in described.get("architectures") or ["no architecture"]]
    if any(name in ARCHITECTURES for name in names):
        return []
    hint = did_you_mean(names[0], ARCHITECTURES)
    return [
        Problem(
            f"runtime=onnx: its model builder cannot convert {names[0]} ({model}). {hint}".strip(),
            "use runtime=hf",
        )
    ]


def head_problems(model: Path, described: dict[str, Any]) -> list[Problem]:
    """Report an attention head size that is no multiple of 16.

    The builder converts any size; the attention kernel fails later, or computes something else.
    """
    size = head_size(described)
    if size is None or size % HEAD_MULTIPLE == 0:
        return []
    what = (
        f"runtime=onnx needs attention heads whose size is a multiple of {HEAD_MULTIPLE}; those of {model}"
        f" have {size}"
    )
    return [Problem(what, "use runtime=hf")]


def block_problems(runtime: Onnx, described: dict[str, Any]) -> list[Problem]:
    """Report rows with an odd number of blocks where they need zero points.

    4-bit zero points are stored in pairs, and the quantiser of ONNX Runtime 1.31 fails on an odd number of
    them.
    """
    if runtime.precision != "int4" or (runtime.algorithm != "k_quant" and runtime.symmetric):
        return []
    widths = sorted(
        {int(described[name]) for name in ("hidden_size", "intermediate_size") if described.get(name)}
    )
    odd = [width for width in widths if math.ceil(width / runtime.block_size) % 2]
    if not odd:
        return []
    fitting = next(
        (
            block
            for block in sorted(BLOCKS, reverse=True)
            if all(math.ceil(width / block) % 2 == 0 for width in widths)
        ),
        None,
    )
    what = (
        f"runtime.block_size={runtime.block_size} cuts a row of {odd[0]} weights into an odd number of"
        " blocks, which cannot hold zero points"
    )
    return [
        Problem(
            what,
            (
                f"try runtime.block_size={fitting}"
                if fitting
                else "try runtime.algorithm=rtn runtime.symmetric=true"
            ),
        )
    ]


def head_size(described: dict[str, Any]) -> int | None:
    """Return the size of an attention head, where config.json states it."""
    if described.get("head_dim"):
        return int(described["head_dim"])
    try:
        return int(described["hidden_size"]) // int(described["num_attention_heads"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
