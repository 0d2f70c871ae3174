"""What optimum-intel cannot export, said before its environment is started. Imports no ML library.

optimum-intel has a class for each type of model, and each class a range of transformers versions, of which
one environment has one. So what can be exported depends on the versions there: the list belongs to those in
``requirements.txt``, and an environment with others is not judged by it. A test compares the list with the
environment itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ptx import ConfigError, Problem
from ptx.files import read_json
from ptx.models.inspection import problems as model_problems
from ptx.models.package import read_package
from ptx_openvino import REQUIREMENTS, OpenVino

#: the distributions whose versions decide
DECIDING = ("optimum-intel", "transformers")
#: types of models that those versions export as text generators
NAMES = """
afmoe arcee bart bigbird_pegasus biogpt blenderbot blenderbot-small bloom codegen cohere cohere2
falcon glm4 gpt2 gpt_bigcode gpt_neo gpt_neox gpt_neox_japanese gpt_oss gptj granite granitemoe
granitemoehybrid hunyuan_v1_dense llama maira2 mbart mistral mixtral mpt olmo olmo2 opt pegasus
persimmon phi phi3 phimoe qwen2 qwen2_moe qwen3 qwen3_moe qwen3_omni_moe_talker_text
qwen3_omni_moe_text qwen3_vl_text smollm3 stablelm starcoder2 xglm
"""
EXPORTED = frozenset(NAMES.split())
#: types whose keys and values it takes to have as many heads as the queries
EQUAL_HEADS = frozenset({"phi"})
INSTEAD = "use runtime=hf"


def problems(runtime: OpenVino, model: Path) -> list[Problem]:
    """Return what of the model the environment cannot export."""
    if read_package(model) or (model / "adapter_config.json").exists() or model_problems(model):
        return []
    described = read_json(model / "config.json")
    kind, wanted = described.get("model_type"), pinned()
    found = []
    if kind not in EXPORTED and versions(runtime, wanted) == wanted:
        named = " and ".join(f"{name} {version}" for name, version in wanted.items())
        found.append(Problem(f"runtime=openvino cannot export {kind} with {named} ({model})", INSTEAD))
    heads, shared = described.get("num_attention_heads"), described.get("num_key_value_heads")
    if kind in EQUAL_HEADS and shared not in (None, heads):
        what = f"runtime=openvino cannot export {kind} with num_key_value_heads={shared} of {heads} heads"
        found.append(Problem(f"{what} ({model})", INSTEAD))
    return found


def pinned() -> dict[str, str]:
    """Return the deciding versions in ``requirements.txt``."""
    lines = dict(re.findall(r"^([\w-]+)==(\S+)$", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE))
    return {name: lines[name] for name in DECIDING}


def versions(runtime: OpenVino, otherwise: Mapping[str, str]) -> dict[str, Any]:
    """Return the deciding versions of the environment; ``otherwise`` where none is named, or none answers."""
    try:
        held = runtime.outside().contents()["distributions"]
    except ConfigError:
        return dict(otherwise)
    return {name: held.get(name) for name in DECIDING}
