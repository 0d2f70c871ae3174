"""What can be said about a quantisation from ``config.json`` alone, before a weight is loaded."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from ptx import Problem, RunConfig
from ptx_gptq import GPTQ

GROUP_SIZES = (128, 64, 32, 16, 8)


def read_config(model: Path) -> dict[str, Any]:
    """``config.json`` of a model folder; empty where there is none (an adapter)."""
    file = model / "config.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def quantised_problems(model: Path) -> list[Problem]:
    """A model is quantised once."""
    if "quantization_config" not in read_config(model):
        return []
    return [Problem(f"compress=[gptq]: {model} is quantised already", "start from the model it was made of")]


def order_problems(config: RunConfig) -> list[Problem]:
    """Nothing can be trained or compressed after quantisation, which therefore stands last, once."""
    chain = config.chain()
    names = list(chain)
    first = next((place for place, name in enumerate(names) if isinstance(chain[name], GPTQ)), len(names))
    if first >= len(names) - 1:
        return []
    what = f"{names[first + 1]} cannot follow {names[first]}, whose weights are packed"
    if config.recipe:
        return [Problem(f"recipe: step {what}", f"make {names[first]} the last step")]
    others = [name for name, compressor in config.compress.items() if not isinstance(compressor, GPTQ)]
    return [Problem(f"compress=[{','.join(config.compress)}]: {what}", f"try compress=[{','.join([*others, names[first]])}]")]


def group_problems(compressor: GPTQ, model: Path) -> list[Problem]:
    """Layers whose input is not a whole number of groups; llm-compressor would find out after loading the model."""
    size = compressor.group_size
    widths = {
        name: width for name, width in input_widths(read_config(model)).items() if not any(re.search(p, name) for p in compressor.skip)
    }
    wrong = {name.rpartition(".")[2]: width for name, width in widths.items() if size > 0 and width % size}
    if not wrong:
        return []
    shown = ", ".join(f"{name} ({width} inputs)" for name, width in wrong.items())
    return [Problem(f"compress.gptq.group_size={size} does not divide the inputs of {shown}", f"try {remedy(widths, wrong)}")]


def remedy(widths: dict[str, int], wrong: dict[str, int]) -> str:
    """What to type instead."""
    divisor = math.gcd(*widths.values())
    fitting = next((size for size in GROUP_SIZES if divisor % size == 0), -1)
    other = "" if len(wrong) == len(widths) else f", or leave them alone: 'compress.gptq.skip=[{','.join(wrong)}]'"
    return f"compress.gptq.group_size={fitting}{' (one scale per output channel)' if fitting < 0 else ''}{other}"


def input_widths(config: dict[str, Any]) -> dict[str, int]:
    """Inputs of the linear layers of the Llama family and its many relatives; other models are checked when they are loaded."""
    config = config.get("text_config") or config
    try:
        hidden, inner, heads = int(config["hidden_size"]), int(config["intermediate_size"]), int(config["num_attention_heads"])
    except (KeyError, TypeError, ValueError):
        return {}
    attended = heads * int(config.get("head_dim") or hidden // heads)
    attention = {f"model.layers.0.self_attn.{name}": hidden for name in ("q_proj", "k_proj", "v_proj")}
    mlp = {f"model.layers.0.mlp.{name}": hidden for name in ("gate_proj", "up_proj")}
    return {**attention, "model.layers.0.self_attn.o_proj": attended, **mlp, "model.layers.0.mlp.down_proj": inner}
