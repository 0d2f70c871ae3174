"""Which architectures can be cut, and to which sizes, read from config.json and the stored tensors' headers.

The decoder layout is the one that Llama, Mistral, Qwen 2 and 3 and Gemma 1 to 3 (text) share in transformers:
``model.layers.N`` with ``self_attn`` (q_proj, k_proj, v_proj, o_proj, and norms within a head), ``mlp``
(gate_proj, up_proj, down_proj) and RMS norms. A model with any other tensor is refused. A model that looks
the same and computes something else is detected later: its logits are compared with the masked original's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx import Compressor, Problem
from ptx.lm.compression.targets import instead
from ptx.models import inspection
from ptx_structured_pruning import Depth, Width

PROJECTIONS = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)
NORMS = (
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
)
HEAD_NORMS = ("self_attn.q_norm", "self_attn.k_norm")
AROUND = ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight")
KNOWN = (
    "decoders laid out like Llama, Mistral, Qwen 2 and 3 and Gemma (self_attn.{q,k,v,o}_proj,"
    " mlp.{gate,up,down}_proj, RMS norms)"
)
#: config types of transformers 5.17 that refuse to load a hidden_size which is no multiple of
#: num_attention_heads, even where head_dim is given
EVEN_HEADS = ("llama", "gemma2", "gemma3_text")

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Sizes:
    """The sizes of a decoder. ``heads`` counts the query heads of one key-value head (of one group)."""

    layers: int
    hidden: int
    ffn: int
    groups: int
    heads: int
    head_dim: int

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Sizes:
        """Read the sizes from the content of config.json."""
        heads = int(config["num_attention_heads"])
        groups = int(config.get("num_key_value_heads") or heads)
        head_dim = int(config.get("head_dim") or config["hidden_size"] // heads)
        hidden, ffn = int(config["hidden_size"]), int(config["intermediate_size"])
        return cls(int(config["num_hidden_layers"]), hidden, ffn, groups, heads // groups, head_dim)


def stored_problems(chosen: Sequence[Compressor], model: Path) -> list[Problem]:
    """Report what prevents cutting the model in a folder.

    An invalid folder is reported by the core, so nothing is reported for it here.
    """
    if inspection.problems(model):
        return []
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    shapes = {
        name: shape
        for file in inspection.weight_files(model)
        for name, _, shape in inspection.tensors_of(file)
    }
    if found := layout_problems(config, shapes, str(model)):
        return found
    return [problem for compressor in chosen for problem in size_problems(compressor, config)]


def layout_problems(config: Mapping[str, Any], shapes: Shapes, model: str) -> list[Problem]:
    """Report why this architecture is not supported."""
    if "quantization_config" in config:
        return [
            Problem(
                f"{model} is quantised, and packed weights cannot be cut",
                "cut first, quantise last: compress=[width,gptq]",
            )
        ]
    needed = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size", "rms_norm_eps")
    lacking = [name for name in needed if not isinstance(config.get(name), int | float)]
    parts = _parts(shapes)
    odd = sorted(
        {part for part in parts if not _known(part)}
        | {name for name in shapes if not _inner(name) and name not in AROUND}
    )
    odd += [] if lacking else _wide_norms(config, shapes)
    missing = [f"{part}.weight" for part in PROJECTIONS if f"{part}.weight" not in parts]
    reasons = [f"it has {', '.join(odd[:4])}"] if odd else []
    reasons += [f"it lacks {', '.join(missing[:4])}"] if missing else []
    reasons += [f"its config has no {', '.join(lacking)}"] if lacking else []
    if reasons:
        kind = config.get("model_type", "this model")
        return [
            Problem(
                f"depth and width support {KNOWN}; {kind} in {model} differs: {'; '.join(reasons)}",
                instead(Path(model)),
            )
        ]
    return []


def _inner(name: str) -> re.Match[str] | None:
    return re.fullmatch(r"model\.layers\.\d+\.(.+)", name)


def _parts(shapes: Shapes) -> set[str]:
    """Return the names of the parts of a decoder layer, over all layers.

    Old checkpoints store the rotary frequencies, which are computed; they are left out.
    """
    return {
        found[1] for name in shapes if (found := _inner(name)) and not name.endswith("rotary_emb.inv_freq")
    }


def _wide_norms(config: Mapping[str, Any], shapes: Shapes) -> list[str]:
    """Return norms over all heads together (queries or keys, OLMo 2): they change when a head is removed."""
    size = Sizes.of(config).head_dim
    wide = {
        name: shape
        for name, shape in shapes.items()
        if name.endswith(("q_norm.weight", "k_norm.weight")) and list(shape) != [size]
    }
    return sorted({f"{found[1]} over all heads" for name in wide if (found := _inner(name))})


def _known(part: str) -> bool:
    module, _, kind = part.rpartition(".")
    return (module in PROJECTIONS and kind in ("weight", "bias")) or (
        module in (*NORMS, *HEAD_NORMS) and kind == "weight"
    )


def size_problems(compressor: Compressor, config: Mapping[str, Any]) -> list[Problem]:
    """Report sizes that cannot be reached or that transformers would not load."""
    sizes = Sizes.of(config)
    if isinstance(compressor, Depth):
        count = dropped(compressor, sizes)
        if 1 <= count < sizes.layers:
            return []
        what = f"compress.depth.layers={compressor.layers:g} removes {count} of {sizes.layers} layers"
        return [Problem(what, f"try compress.depth.layers={max(1, sizes.layers // 4)}")]
    assert isinstance(compressor, Width)  # the two choices of this plugin
    over = [
        Problem(
            f"compress.width.{name}={getattr(compressor, name):g} is more than the model has: {have}",
            f"try compress.width.{name}=0.75",
        )
        for name, have in (
            ("ffn", sizes.ffn),
            ("groups", sizes.groups),
            ("heads", sizes.heads),
            ("hidden", sizes.hidden),
        )
        if getattr(compressor, name) > have and getattr(compressor, name) != 1
    ]
    if over:
        return over
    after = cut(compressor, sizes)
    if after == sizes:
        return [
            Problem(
                f"compress.width removes nothing: {_rounding(compressor, sizes)}",
                "ask for fewer, or for a smaller multiple",
            )
        ]
    return _even_problems(after, sizes, config)


def _rounding(width: Width, sizes: Sizes) -> str:
    return (
        f"{sizes.groups} groups of {sizes.heads} query heads, {sizes.ffn} ffn and {sizes.hidden} hidden"
        f" channels stay as they are after rounding (multiple={width.multiple})"
    )


def _even_problems(after: Sizes, before: Sizes, config: Mapping[str, Any]) -> list[Problem]:
    heads = after.groups * after.heads
    if config.get("model_type") not in EVEN_HEADS or after.hidden % heads == 0:
        return []
    fitting = [groups for groups in range(1, before.groups + 1) if after.hidden % (groups * after.heads) == 0]
    nearest = min(fitting, key=lambda groups: abs(groups - after.groups), default=0)
    hidden = after.hidden // heads * heads
    ways = ([f"compress.width.groups={nearest}"] if nearest > 1 else []) + (
        [f"compress.width.hidden={hidden}"] if hidden else []
    )
    what = (
        f"{after.hidden} hidden channels are no multiple of {heads} heads, and transformers does not load"
        f" such a {config['model_type']}"
    )
    return [Problem(what, f"try {' or '.join(ways)}")]


def dropped(depth: Depth, sizes: Sizes) -> int:
    """Return how many layers are removed; a share is rounded to the nearest whole number."""
    return round(depth.layers * sizes.layers) if depth.layers < 1 else int(depth.layers)


def cut(width: Width, sizes: Sizes) -> Sizes:
    """Return the sizes after cutting.

    A share is rounded (to ``multiple`` for channels), a number is used as it is, and 1 keeps everything.
    """
    return Sizes(
        layers=sizes.layers,
        hidden=_kept(width.hidden, sizes.hidden, width.multiple),
        ffn=_kept(width.ffn, sizes.ffn, width.multiple),
        groups=_kept(width.groups, sizes.groups, 1),
        heads=_kept(width.heads, sizes.heads, 1),
        head_dim=sizes.head_dim,
    )


def _kept(asked: float, have: int, multiple: int) -> int:
    if asked > 1:
        return int(asked)
    if asked == 1:
        return have
    return min(have, max(1, math.floor(asked * have / multiple + 0.5)) * multiple)
