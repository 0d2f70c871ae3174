"""Checks of a GGUF export, before a weight is loaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ptx import Problem, RunConfig
from ptx.files import read_json
from ptx.models.inspection import problems as model_problems
from ptx.models.package import read_package
from ptx.models.traits import Refusal, Traits, refused
from ptx_gguf import Gguf

#: architecture -> llama.cpp's name for it
ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}

#: scalings that are a factor for each frequency, which a Llama's file can hold; yarn scales attention too
FACTORED_ROPES = ("linear", "llama3", "dynamic")


def ropes_for(traits: Traits) -> tuple[str, ...]:
    """Return the kinds of rotary scaling that the file can say for an architecture."""
    names = {ARCHITECTURES.get(name) for name in traits.architectures}
    return ("default", *FACTORED_ROPES) if "llama" in names else ("default",)


def refusals(context: int) -> tuple[Refusal, ...]:
    """Return what the file cannot say, for a service of ``context`` tokens per request."""
    return (
        Refusal(
            lambda traits: not set(traits.architectures) & set(ARCHITECTURES),
            "cannot write {traits.architectures[0]}",
            f"use runtime=hf; it writes {', '.join(ARCHITECTURES)}",
        ),
        Refusal(
            lambda traits: traits.rope not in ropes_for(traits),
            "cannot write rope scaling {traits.rope!r}",
        ),
        Refusal(
            lambda traits: traits.window is not None and traits.window < context,
            "cannot write a sliding window, and that of {traits.window} tokens is shorter than the"
            f" {context} of runtime.context",
            "use runtime=hf, or serve texts within the window: runtime.context={traits.window}",
        ),
    )


def problems(config: RunConfig, model: Path) -> list[Problem]:
    """Return every problem of serving ``model`` on llama.cpp."""
    assert isinstance(config.runtime, Gguf)
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
    found += refused("gguf", model, Traits.of(described), refusals(config.runtime.context))
    if reason := reason_against(model):
        what = f"runtime=gguf cannot write the tokenizer of {model}: {reason}"
        found.append(Problem(what, "use runtime=onnx, or llama.cpp's own convert_hf_to_gguf.py"))
    return found


def reason_against(model: Path) -> str:
    """Return why llama.cpp has no such tokenizer; empty where it has, or where there is no tokenizer.json.

    Without one, transformers makes it when the model is exported.
    """
    file = model / "tokenizer.json"
    if not file.is_file():
        return ""
    described = read_json(file)
    kind = kind_of(described)
    if not kind:
        name = f"{described['model'].get('type')} without byte_fallback or a byte-level pre-tokenizer"
        return f"it is {name}; byte-level BPE and SentencePiece (BPE, unigram) can be written"
    if kind == "gpt2":
        return ""
    if kind == "llama" and "<0x0A>" not in described["model"]["vocab"]:
        return "its byte_fallback has no token <0x0A>"
    for place, allowed in (("normalizer", NORMALIZERS[kind]), ("pre_tokenizer", PRE_TOKENIZERS)):
        if others := [part["type"] for part in parts_of(described.get(place)) if part["type"] not in allowed]:
            return f"llama.cpp has no {place} {others[0]} for SentencePiece"
    return ""


NORMALIZERS = {
    "llama": {"Prepend", "Replace"},
    "t5": {"Prepend", "Replace", "Precompiled", "Strip"},
}
PRE_TOKENIZERS = {"Metaspace", "Split", "WhitespaceSplit"}


def kind_of(described: dict[str, Any]) -> str:
    """Return llama.cpp's name for the tokenizer in tokenizer.json; empty where it has none."""
    model = described["model"]
    if model.get("type") == "Unigram":
        return "t5"
    if model.get("type") != "BPE":
        return ""
    if "ByteLevel" in kinds_of(described.get("pre_tokenizer")):
        return "gpt2"
    return "llama" if model.get("byte_fallback") else ""


def parts_of(part: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the parts of a normalizer or pre-tokenizer, which may be a sequence."""
    return list(part.get("pretokenizers", part.get("normalizers", [part]))) if part else []


def kinds_of(part: dict[str, Any] | None) -> list[str]:
    """Return the types of a pre-tokenizer, or of a sequence of them."""
    return [str(inner["type"]) for inner in parts_of(part)]
