"""Checks of a GGUF export, before a weight is loaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ptx import Problem, RunConfig
from ptx.files import read_json
from ptx.models.inspection import problems as model_problems
from ptx.models.package import read_package

#: architecture -> llama.cpp's name for it
ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}


def problems(config: RunConfig, model: Path) -> list[Problem]:
    """Return every problem of serving ``model`` on llama.cpp."""
    missing = [name for name in ("gguf", "xllamacpp") if find_spec(name) is None]
    found = (
        [Problem(f"runtime=gguf needs {' and '.join(missing)}", "pip install 'ptx[gguf]'")] if missing else []
    )
    if config.device == "cuda":
        found.append(
            Problem(
                "runtime=gguf serves on the CPU, and device=cuda is given",
                "leave device= out, or use runtime=hf or runtime=vllm",
            )
        )
    if read_package(model) or model_problems(model):
        return found
    described = read_json(model / "config.json")
    names = [str(name) for name in described.get("architectures") or ["no architecture"]]
    if not any(name in ARCHITECTURES for name in names):
        found.append(
            Problem(
                f"runtime=gguf cannot write {names[0]} ({model})", f"it writes {', '.join(ARCHITECTURES)}"
            )
        )
    scaling = (described.get("rope_parameters") or described.get("rope_scaling") or {}).get(
        "rope_type", "default"
    )
    if scaling != "default":
        found.append(
            Problem(f"runtime=gguf cannot write rope scaling {scaling!r} ({model})", "use runtime=onnx")
        )
    if not is_byte_level(model):
        what = (
            f"runtime=gguf writes byte-level BPE tokenizers (tokenizer.json), and that of {model} is another"
        )
        found.append(Problem(what, "use runtime=onnx, or llama.cpp's own convert_hf_to_gguf.py"))
    return found


def is_byte_level(model: Path) -> bool:
    """Return whether tokenizer.json holds a BPE over bytes (GPT-2's kind)."""
    file = model / "tokenizer.json"
    if not file.is_file():
        return False
    described = read_json(file)
    return described["model"].get("type") == "BPE" and "ByteLevel" in kinds_of(described.get("pre_tokenizer"))


def kinds_of(part: dict[str, Any] | None) -> list[str]:
    """Return the types of a pre-tokenizer, or of a sequence of them."""
    return (
        [kind for inner in part.get("pretokenizers", [part]) for kind in [str(inner["type"])]] if part else []
    )
