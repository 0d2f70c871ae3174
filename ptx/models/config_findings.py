"""Contradictions of config.json: with the shapes of the weights, within itself, and of two chat templates.

What is found here ends a run at the loading of the model otherwise, in the words of a library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ptx.errors import did_you_mean
from ptx.models.finding import USE, Finding, put, put_in_text
from ptx.models.folder import CONFIG, EMBEDDINGS, TOKENIZER, Folder
from ptx.models.traits import ropes_of

#: families whose layers are Llama's: rows of the projections are heads times the size of a head
LIKE_LLAMA = (
    *("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text"),
    *("olmo", "olmo2", "granite", "smollm3", "stablelm"),
)
#: those whose heads share the width where config.json does not say how large one is
DIVIDED = ("llama", "mistral", "qwen2", "olmo", "olmo2", "granite", "smollm3", "stablelm")
FIRST = "model.layers.0."
#: kind of rotary scaling -> what it cannot do without
SCALINGS: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor",),
    "longrope": ("short_factor", "long_factor"),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor"),
    "proportional": (),
    "su": ("short_factor", "long_factor"),  # Phi-3's former name of longrope
    "mrope": ("mrope_section",),
    "axial": (),
}
#: activations that transformers knows by name, and the fields that name one
ACTIVATIONS = (
    *("gelu", "gelu_10", "gelu_accurate", "gelu_fast", "gelu_new", "gelu_python", "gelu_python_tanh"),
    *(
        "gelu_pytorch_tanh",
        "hardswish",
        "laplace",
        "leaky_relu",
        "linear",
        "mish",
        "prelu",
        "quick_gelu",
        "relu",
    ),
    *("relu2", "relu6", "sigmoid", "silu", "sqrtsoftplus", "swish", "tanh", "xielu"),
)
ACTIVATION_FIELDS = ("hidden_act", "hidden_activation", "activation_function")
AGAIN = f"download or save the folder again, or correct {CONFIG}"


def config_findings(folder: Folder) -> Iterator[Finding]:
    """All of them."""
    yield from _kind(folder)
    yield from _activation(folder)
    yield from _shapes(folder)
    yield from _padding(folder)
    yield from _base(folder)
    yield from _scaling(folder)
    yield from _padding_side(folder)
    yield from _templates(folder)


def _kind(folder: Folder) -> Iterator[Finding]:
    """No model type, by which transformers chooses the class; a quantisation that says of no layer how."""
    if folder.config and not folder.config.get("model_type"):
        what = f"{CONFIG} has no model_type, by which transformers chooses how to read the model"
        yield Finding(what, (USE,), (), AGAIN)
    held = folder.config.get("quantization_config") or {}
    if held.get("quant_method") == "compressed-tensors" and not held.get("config_groups"):
        what = f"the quantization_config in {CONFIG} has no config_groups, so no layer can be unpacked"
        yield Finding(what, (USE,), (), AGAIN)


def _activation(folder: Folder) -> Iterator[Finding]:
    """An activation that no program knows."""
    for field in ACTIVATION_FIELDS:
        name = folder.text.get(field)
        if isinstance(name, str) and name not in ACTIVATIONS and folder.text.get("model_type") in LIKE_LLAMA:
            what = f"{CONFIG} says {field}={name!r}, an activation that transformers does not know"
            yield Finding(what, (USE,), (), f"{did_you_mean(name, ACTIVATIONS)} correct {field} in {CONFIG}")


def _shapes(folder: Folder) -> Iterator[Finding]:
    """Heads and widths that the matrices of the first layer do not have."""
    if folder.quantized or folder.text.get("model_type") not in LIKE_LLAMA:
        return
    for matrix, axis, length, said in _lengths(folder.text):
        shape = folder.tensors.get(f"{FIRST}{matrix}.weight", ("", [], None))[1]
        if len(shape) == 2 and shape[axis] != length:
            side = ("rows", "columns")[axis]
            what = f"{CONFIG} says {said}, which makes {length} {side}; {FIRST}{matrix} has {shape[axis]}"
            yield Finding(what, (USE,), (), AGAIN)


def _lengths(config: dict[str, Any]) -> Iterator[tuple[str, int, int, str]]:
    """Matrix, axis, length and the fields that say so."""
    names = ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size")
    width, heads, groups, size, inner = (
        value if isinstance(value := config.get(name), int) and value > 0 else 0 for name in names
    )
    if not size and config.get("model_type") in DIVIDED and heads:
        size = width // heads
    if width:
        yield "self_attn.q_proj", 1, width, f"hidden_size={width}"
    if heads and size:
        yield "self_attn.q_proj", 0, heads * size, f"num_attention_heads={heads} of {size}"
    if groups and size:
        yield "self_attn.k_proj", 0, groups * size, f"num_key_value_heads={groups} of {size}"
    if inner:
        yield "mlp.gate_proj", 0, inner, f"intermediate_size={inner}"


def _padding(folder: Folder) -> Iterator[Finding]:
    """A token of padding behind the embedding, with which no embedding can be made."""
    name, pad = folder.matrix(EMBEDDINGS), folder.text.get("pad_token_id")
    shape = folder.tensors[name][1] if name else []
    if len(shape) == 2 and isinstance(pad, int) and pad >= shape[0]:
        what = f"{CONFIG} says pad_token_id={pad}, and the embedding has {shape[0]} rows"
        yield Finding(what, (USE,), ((CONFIG, put_in_text(pad_token_id=None)),))


def _base(folder: Folder) -> Iterator[Finding]:
    """A base of the rotation with which every score is nan."""
    for theta in (folder.text.get("rope_theta"), *(one.get("rope_theta") for one in ropes_of(folder.text))):
        if isinstance(theta, int | float) and theta <= 0:
            what = f"{CONFIG} rotates positions with rope_theta={theta}, which must be positive"
            yield Finding(what, (USE,), (), f"correct rope_theta in {CONFIG}")
            return


def _scaling(folder: Folder) -> Iterator[Finding]:
    """A scaling of positions of an unknown kind, or without what it needs."""
    held = folder.text.get("rope_scaling") or folder.text.get("rope_parameters")
    if not isinstance(held, dict) or folder.text.get("model_type") not in (*LIKE_LLAMA, "phi3"):
        return
    nested = [value for value in held.values() if isinstance(value, dict)]
    for scaling in nested or [held]:
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        if kind not in SCALINGS:
            known = ", ".join(SCALINGS)
            what = f"{CONFIG} scales positions in a way that is not known: {kind!r} (known: {known})"
            yield Finding(what, (USE,), (), f"correct rope_type in {CONFIG}")
            continue
        if lost := [name for name in SCALINGS[kind] if scaling.get(name) is None]:
            what = f"{CONFIG} scales positions as {kind} without {', '.join(lost)}"
            yield Finding(
                what, (USE,), (), f"write them into rope_scaling in {CONFIG}, as the model's page has it"
            )
        factor = scaling.get("factor")
        if kind != "default" and isinstance(factor, int | float) and factor < 1:
            what = f"{CONFIG} scales positions by factor={factor}, which makes the context shorter"
            yield Finding(what, (), (), f"correct factor in {CONFIG}")


def _padding_side(folder: Folder) -> Iterator[Finding]:
    """A side to pad on that is none."""
    side = folder.json(TOKENIZER).get("padding_side")
    if side is not None and side not in ("left", "right"):
        what = f"{TOKENIZER} says padding_side={side!r}, which must be left or right"
        yield Finding(what, (USE,), ((TOKENIZER, put(padding_side=None)),))


def _templates(folder: Folder) -> Iterator[Finding]:
    """Two chat templates: transformers reads the file of its own, older programs the other."""
    file, held = folder.path / "chat_template.jinja", folder.json(TOKENIZER).get("chat_template")
    if isinstance(held, str) and file.is_file() and folder.template.strip() != held.strip():
        what = (
            f"chat_template.jinja and the chat_template in {TOKENIZER} differ: ptx and transformers read the"
            " first, older programs the second"
        )
        yield Finding(what, (), ((TOKENIZER, put(chat_template=None)),))
