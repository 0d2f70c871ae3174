"""Checks of a GGUF export, before a weight is loaded."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ptx import Problem, RunConfig
from ptx.files import read_json
from ptx.models.inspection import problems as model_problems
from ptx.models.package import read_package
from ptx.models.traits import Refusal, Traits, refused
from ptx_gguf import Gguf
from ptx_gguf.architectures import ARCHITECTURES, Architecture


def architecture_of(traits: Traits) -> Architecture | None:
    """Return what llama.cpp's format says about the architecture; None for one that cannot be written."""
    return next((ARCHITECTURES[name] for name in traits.architectures if name in ARCHITECTURES), None)


def ropes_for(traits: Traits) -> tuple[str, ...]:
    """Return the kinds of rotary scaling that the file can say for an architecture."""
    found = architecture_of(traits)
    return found.ropes if found else ("default",)


def acts_of(traits: Traits) -> tuple[str, ...]:
    """Return the activations that llama.cpp computes for an architecture; any where it has none."""
    found = architecture_of(traits)
    return found.acts if found else (traits.activation,)


def says_window(traits: Traits) -> bool:
    """Whether the file can say a sliding window."""
    found = architecture_of(traits)
    return found is not None and found.windows


def refusals(context: int) -> tuple[Refusal, ...]:
    """Return what the file cannot say, for a service of ``context`` tokens per request."""
    return (
        Refusal(
            lambda traits: not set(traits.architectures) & set(ARCHITECTURES),
            "cannot write {traits.architectures[0]}",
            "use runtime=hf; it writes "
            + ", ".join(re.sub(r"(ForCausalLM|LMHeadModel)$", "", name) for name in ARCHITECTURES),
        ),
        Refusal(
            lambda traits: traits.rope not in ropes_for(traits),
            "cannot write rope scaling {traits.rope!r}",
        ),
        Refusal(
            lambda traits: traits.activation and traits.activation not in acts_of(traits),
            "cannot write the activation {traits.activation!r}: llama.cpp computes this architecture with"
            " another",
        ),
        Refusal(
            lambda traits: traits.window is not None and traits.window < context and not says_window(traits),
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
    traits = Traits.of(described)
    found += refused("gguf", model, traits, refusals(config.runtime.context))
    arch = architecture_of(traits)
    if arch and (differs := arch.differs(described.get("text_config") or described)):
        what = f"runtime=gguf cannot write {traits.architectures[0]} with {differs} ({model})"
        found.append(Problem(what, "use runtime=hf"))
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
    state = file.stat()
    return _reason_against(file, (state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=64)
def _reason_against(file: Path, _stamp: tuple[int, int]) -> str:
    """The same of a file, read once for all runs of a sweep."""
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
