"""Checks of an export that need only ``config.json``, before a weight is loaded."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from ptx import Compressor, Problem, RunConfig, did_you_mean
from ptx.files import read_json
from ptx.models.inspection import problems as model_problems
from ptx.models.package import read_package
from ptx.models.traits import Refusal, Traits, refused
from ptx_onnx import Onnx

#: text decoders that the builder of onnxruntime-genai 0.18 converts for the CPU, and that give the model's
#: own logits on long texts; a test compares them with its source
ARCHITECTURES = (
    "Ernie4_5ForCausalLM",
    "Gemma2ForCausalLM",
    "GemmaForCausalLM",
    "GraniteForCausalLM",
    "HunYuanDenseV1ForCausalLM",
    "Lfm2ForCausalLM",
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "NemotronForCausalLM",
    "Phi3ForCausalLM",
    "PhiForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "SmolLM3ForCausalLM",
)
#: rotary embeddings that are the same for every length up to the context: their tables are the model's own
STATIC_ROPES = {"default", "linear", "llama3", "yarn", "dynamic"}
MULTIPLE = 16
REFUSED = (
    Refusal(
        lambda traits: not set(traits.architectures) & set(ARCHITECTURES),
        "has a model builder that cannot convert {traits.architectures[0]}",
    ),
    Refusal(
        lambda traits: (traits.head_size or MULTIPLE) % MULTIPLE,
        "needs attention heads whose size is a multiple of 16; those of the model have {traits.head_size}",
    ),
    Refusal(
        lambda traits: (
            (traits.head_size or 0) % MULTIPLE == 0 and (traits.rotary_size or MULTIPLE) % MULTIPLE
        ),
        "rotates multiples of 16 numbers of a head, and the model rotates {traits.rotary_size}",
    ),
    Refusal(
        lambda traits: traits.rope not in STATIC_ROPES,
        "cannot write the rotary scaling {traits.rope!r}, which changes with the length of the text",
    ),
    Refusal(
        lambda traits: traits.window is not None,
        "has an attention that sometimes reads stale memory with a sliding window (ONNX Runtime 1.31), and"
        " the model has one of {traits.window} tokens",
        "use runtime=hf, or serve texts within the window: a copy of the folder whose config.json says"
        ' "max_position_embeddings": {traits.window}',
    ),
    Refusal(
        lambda traits: "Phi3ForCausalLM" in traits.architectures and traits.rotary_size != traits.head_size,
        "cannot write a Phi-3 that rotates {traits.rotary_size} of {traits.head_size} numbers of a head",
    ),
)
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
    return found + refused("onnx", model, Traits.of(described), REFUSED)


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
