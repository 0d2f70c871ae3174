"""Values of config.json and generation_config.json that no model can have, or that are said twice.

Most of them are read without a word and give other numbers: a norm with ``rms_norm_eps=1`` hardly norms, and
of two bases of the rotation each program takes another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeGuard

from ptx.models.config_findings import LIKE_LLAMA
from ptx.models.finding import COMPRESS, EXPORT, TRAIN, USE, Finding, put, put_in_text
from ptx.models.folder import CONFIG, GENERATION, TOKENIZER, Folder
from ptx.models.sizes import size

#: what weights may be computed in, as torch calls it, and the safetensors' names of the stored ones
DTYPES = ("float32", "float64", "float16", "bfloat16", "float", "double", "half")
STORED = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
EPSILONS = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps")
MOST_EPSILON = 0.01  # public models have 1e-12 to 1e-5
#: setting of generation_config.json -> what it must be, as a condition and in words
GENERATES: dict[str, tuple[Callable[[float], bool], str]] = {
    "repetition_penalty": (lambda value: value > 0, "above 0"),
    "temperature": (lambda value: value > 0, "above 0"),
    "top_p": (lambda value: 0 < value <= 1, "above 0 and at most 1"),
    "max_new_tokens": (lambda value: value > 0, "above 0"),
}
FLOAT_8 = ("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ")
SCALE = re.compile(r"scale|absmax|quant_state")
#: where transformers lists its model types, and how
LISTS = ("auto_mappings.py", "configuration_auto.py")
NAMED = re.compile(r'"([\w.-]+)"[,:] "\w+Config"')
AGAIN = "download or save the folder again"


def value_findings(folder: Folder) -> Iterator[Finding]:
    """All of them."""
    yield from _code(folder)
    yield from _dtype(folder)
    yield from _float8(folder)
    yield from _epsilon(folder)
    yield from _rotation(folder)
    yield from _layer_types(folder)
    yield from _window(folder)
    yield from _biases(folder)
    yield from _generation(folder)


@lru_cache(maxsize=1)
def known_types() -> frozenset[str]:
    """The model types of the installed transformers, which is not imported; empty if they cannot be read."""
    spec = find_spec("transformers")
    places = list(spec.submodule_search_locations or ()) if spec else []
    files = [Path(place) / "models" / "auto" / name for place in places for name in LISTS]
    if not files or not all(file.is_file() for file in files):
        return frozenset()
    return frozenset(name for file in files for name in NAMED.findall(file.read_text(encoding="utf-8")))


def _code(folder: Folder) -> Iterator[Finding]:
    """Code of a folder's own, which ptx never runs; a model type that there is without it only."""
    files = _files(folder.config.get("auto_map"))
    kind = folder.config.get("model_type")
    own = f"the code that the folder brings for it ({files}, by auto_map) is a stranger's and is never run"
    if isinstance(kind, str) and kind and known_types() and kind not in known_types():
        what = f"{CONFIG} says model_type={kind!r}, which the installed transformers does not have"
        fix = "use a model of an architecture that transformers has, or a release that has this one"
        yield Finding(f"{what}; {own}" if files else what, (USE,), (), fix)
    elif files:
        what = (
            f"{CONFIG} names code of the folder's own in auto_map ({files}). ptx never runs it: the model is"
            f" computed by transformers' own code for model_type={kind!r}, and where the two differ, so do"
            " all numbers"
        )
        yield Finding(what, (), ((CONFIG, put(auto_map=None)),))
    if files := _files(folder.json(TOKENIZER).get("auto_map")):
        what = (
            f"{TOKENIZER} names code of the folder's own in auto_map ({files}). ptx never runs it: texts are"
            " cut into tokens by the vocabulary files alone"
        )
        yield Finding(what, (), ((TOKENIZER, put(auto_map=None)),))


def _files(mapped: Any) -> str:
    """The files that an ``auto_map`` names: ``{"AutoModel": "modeling_x.XModel"}``, or a list of such."""
    if not isinstance(mapped, dict):
        return ""
    listed = [one for value in mapped.values() for one in (value if isinstance(value, list) else [value])]
    places = {f"{one.rpartition('--')[2].partition('.')[0]}.py" for one in listed if isinstance(one, str)}
    return ", ".join(sorted(places))


def _dtype(folder: Folder) -> Iterator[Finding]:
    """A dtype that weights cannot have, and two that differ."""
    given = {name: folder.config.get(name) for name in ("dtype", "torch_dtype")}
    said = {name: value for name, value in given.items() if value is not None and not isinstance(value, dict)}
    kinds = [kind for kind, _, _ in folder.tensors.values()]
    stored = STORED.get(max(kinds, key=kinds.count), "bfloat16") if kinds else "bfloat16"
    names = {name: str(value).removeprefix("torch.") for name, value in said.items()}
    wrong = [name for name, value in names.items() if value not in DTYPES]
    if wrong and not folder.quantized:
        what = f"{CONFIG} says {wrong[0]}={said[wrong[0]]!r}, in which no weights can be computed"
        yield Finding(what, (USE,), ((CONFIG, put(**dict.fromkeys(wrong, stored))),))
    elif len({*names.values()}) == 2:
        both = " and ".join(f"{name}={value}" for name, value in names.items())
        what = f"{CONFIG} says {both}: transformers 5 reads the first, older programs the second"
        yield Finding(what, (), ((CONFIG, put(dtype=stored, torch_dtype=None)),))


def _float8(folder: Folder) -> Iterator[Finding]:
    """Weights of 8 bits without the scales by which they must be multiplied."""
    packed = [name for name, (kind, _, _) in folder.tensors.items() if kind in FLOAT_8]
    weights = sorted(name for name in packed if name.endswith("weight"))
    if weights and not any(SCALE.search(name) for name in folder.tensors):
        said = "" if folder.quantized else f", and {CONFIG} has no quantization_config"
        what = (
            f"{len(weights)} weights are stored as float8 ({folder.tensors[weights[0]][0]}) and no tensor is"
            f" a scale of them{said}, first {weights[0]}: read as they are, they are other numbers than the"
            " model's"
        )
        yield Finding(what, (USE,), (), f"{AGAIN}, with its scales (..._scale), or the unpacked model")


def _epsilon(folder: Folder) -> Iterator[Finding]:
    """A constant of a norm that is none: negative, or so large that the norm does nothing."""
    for name in EPSILONS:
        value = folder.text.get(name)
        if value is None or (_is_number(value) and 0 <= value <= MOST_EPSILON):
            continue
        what = f"{CONFIG} says {name}={value!r}; models have 1e-12 to 1e-5, and all scores go by it"
        yield Finding(what, (USE,), (), f"correct {name} in {CONFIG}, as the model's page has it")


def _rotation(folder: Folder) -> Iterator[Finding]:
    """A base or a share of the rotation that is said twice, or is no share."""
    nested = folder.text.get("rope_parameters")
    held = nested if isinstance(nested, dict) else {}
    for name in ("rope_theta", "partial_rotary_factor"):
        top, inside = folder.text.get(name), held.get(name)
        if _is_number(top) and _is_number(inside) and top != inside:
            what = (
                f"{CONFIG} says {name}={top} and, in rope_parameters, {inside}: transformers 5 reads the"
                " second, older programs the first"
            )
            fix = f"keep the one that the model was trained with, in {CONFIG}"
            yield Finding(what, (TRAIN, COMPRESS, EXPORT), (), fix)
    share = held.get("partial_rotary_factor", folder.text.get("partial_rotary_factor"))
    if _is_number(share) and not 0 < share <= 1:
        what = (
            f"{CONFIG} rotates {share} of each head (partial_rotary_factor), which must be above 0, at most 1"
        )
        yield Finding(what, (USE,), (), f"correct partial_rotary_factor in {CONFIG}")


def _layer_types(folder: Folder) -> Iterator[Finding]:
    """A list with a kind for each layer that has another length."""
    layers = size(folder.config, "num_hidden_layers")
    for name in ("layer_types", "mlp_layer_types"):
        kinds = folder.text.get(name)
        if isinstance(kinds, list) and layers and len(kinds) != layers:
            what = f"{CONFIG} says that the model has {layers} layers, and {name} has {len(kinds)} entries"
            yield Finding(what, (USE,), (), f"correct one of the two in {CONFIG}")


def _window(folder: Folder) -> Iterator[Finding]:
    """A window of no token."""
    window = folder.text.get("sliding_window")
    if _is_number(window) and window <= 0:
        what = f"{CONFIG} says sliding_window={window}: a token would read no other one"
        yield Finding(what, (USE,), ((CONFIG, put_in_text(sliding_window=None)),))


def _biases(folder: Folder) -> Iterator[Finding]:
    """Biases of the attention that are said and not stored, or the other way round."""
    said, matrix = folder.text.get("attention_bias"), "model.layers.0.self_attn.q_proj"
    if not isinstance(said, bool) or folder.text.get("model_type") not in LIKE_LLAMA or folder.quantized:
        return
    stored = f"{matrix}.bias" in folder.tensors
    if f"{matrix}.weight" in folder.tensors and stored != said:
        has = "has" if stored else "has none"
        what = f"{CONFIG} says attention_bias={str(said).lower()}, and {matrix} {has}{' one' * stored}"
        yield Finding(what, (USE,), ((CONFIG, put_in_text(attention_bias=stored)),))


def _generation(folder: Folder) -> Iterator[Finding]:
    """Settings with which nothing can be generated: programs that read them stop with an error."""
    for name, (holds, words) in GENERATES.items():
        value = folder.generation.get(name)
        if value is not None and not (_is_number(value) and holds(value)):
            what = (
                f"{GENERATION} says {name}={value!r}, which must be {words}: programs that read it refuse it"
            )
            yield Finding(what, (), ((GENERATION, put(**{name: None})),))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
