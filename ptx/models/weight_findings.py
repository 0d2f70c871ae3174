"""Contradictions between config.json and the headers of the weights."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError, counted
from ptx.guard.reading import read_object
from ptx.models.finding import COMPRESS, EXPORT, TRAIN, USE, Finding, put, put_in_text
from ptx.models.folder import CONFIG, EMBEDDINGS, HEADS, Folder
from ptx.models.inspection import header_of
from ptx.models.readable import INDEX
from ptx.models.sizes import size

INTEGERS = ("I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64", "BOOL")
FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
#: a decoder layer in the name of a tensor; parts of other towers are left out before
LAYER = re.compile(r"^(?P<list>(?:.*\.)?(?:layers|h|blocks|block))\.(?P<place>\d+)\.")
OTHER = re.compile(r"vision|visual|audio|encoder|image|speech|mtp|draft|eagle|projector|connector")
CHUNK = 1 << 22
WHOLE = "model.safetensors"
#: methods that keep every packed matrix under one name
PACKED = {"awq": "qweight", "gptq": "qweight", "mxfp4": "_blocks"}
AGAIN = "download or save the folder again"
#: families of which every layer has the same tensors
UNIFORM = (
    *("llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi", "phi3"),
    *("gpt2", "gpt_neox", "opt", "bloom", "olmo", "olmo2", "granite", "stablelm", "starcoder2", "smollm3"),
)


def weight_findings(folder: Folder) -> Iterator[Finding]:
    """All of them; those about single tensors only for weights that are not packed."""
    yield from _architecture(folder)
    yield from _twice(folder)
    yield from _index(folder)
    yield from _packed(folder)
    if folder.quantized or not folder.tensors:
        return
    yield from _layers(folder)
    yield from _integers(folder)
    yield from _vocabulary(folder)
    yield from _tied(folder)
    yield from _dtype(folder)


def _architecture(folder: Folder) -> Iterator[Finding]:
    """The class that transformers opens (by ``model_type``) and the one that converters see."""
    kind, listed = folder.config.get("model_type"), folder.config.get("architectures")
    name = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(kind, str) or not isinstance(name, str) or belongs(name, kind):
        return
    yield Finding(
        f"{CONFIG} has the model_type {kind!r}, by which transformers reads it, and the architecture"
        f" {name!r}, by which exports go",
        (EXPORT,),
        (),
        f"correct one of the two in {CONFIG}",
    )


def belongs(architecture: str, kind: str) -> bool:
    """Whether a class name can be one of a model type: ``GPTNeoXForCausalLM`` of ``gpt_neox``.

    One name may say more than the other (``Llama4`` and ``llama4_text``), but no further number: Gemma 2 is
    not Gemma.
    """
    stem = _letters(re.sub(r"(For[A-Z]\w*|LMHead\w*|LM\w*|\w?DoubleHeads\w*|Model\w*)$", "", architecture))
    plain = _letters(kind)
    shorter, longer = sorted((stem, plain), key=len)
    more = longer.removeprefix(shorter)
    return (
        (stem, plain) in KNOWN or sorted(stem) == sorted(plain) or (more != longer and not more[:1].isdigit())
    )


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


#: classes that are called otherwise than their type
KNOWN = (
    ("gpt2", "gptsw3"),
    ("minimaxm3sparse", "minimaxm3vl"),
    ("gotocr2", "ppchart2table"),
    ("gemma3", "shieldgemma2"),
    ("glm46v", "glmga"),
)


def _twice(folder: Folder) -> Iterator[Finding]:
    """All weights in one file, and once more in shards: programs differ in what they read."""
    named = folder.json(INDEX).get("weight_map")
    if not isinstance(named, dict) or not (folder.path / WHOLE).is_file() or WHOLE in named.values():
        return
    what = (
        f"{WHOLE} and the shards of {INDEX} both hold the model; transformers reads the first, other programs"
        " the shards or both"
    )
    yield Finding(what, (USE,), (), f"delete those that are out of date: {WHOLE}, or {INDEX} and its shards")


def _packed(folder: Folder) -> Iterator[Finding]:
    """A config.json that says how the weights are packed, and weights that are not."""
    held = folder.config.get("quantization_config")
    kind = str(held.get("quant_method", "")) if isinstance(held, dict) else ""
    if kind in PACKED and folder.tensors and not any(name.endswith(PACKED[kind]) for name in folder.tensors):
        what = f"{CONFIG} says that the weights are packed by {kind}, and no tensor is a {PACKED[kind]}"
        yield Finding(what, (USE,), ((CONFIG, put(quantization_config=None)),))


def _index(folder: Folder) -> Iterator[Finding]:
    """The index names tensors that the files do not have, or not all of those that they have."""
    try:
        named = read_object(folder.path / INDEX).get("weight_map")
    except (OSError, ConfigError):
        return
    if not isinstance(named, dict):
        return
    held = {name: file.name for name, (_, _, file) in folder.tensors.items()}
    wrong = sorted(name for name in named if held.get(name) != named[name])
    if wrong:
        names = counted(len(wrong), "tensor", "that is", "that are")
        what = f"{INDEX} names {names} not in the files it says, first {wrong[0]}"
        yield Finding(what, (USE,), (), AGAIN)
    if left := sorted(set(held) - set(named)):
        what = f"the files hold {counted(len(left), 'tensor')} that {INDEX} does not name, first {left[0]}"
        yield Finding(what, (USE,), (), AGAIN)


def _layers(folder: Folder) -> Iterator[Finding]:
    """Another number of layers than config.json says, and layers that lack what all others have."""
    stated = size(folder.config, "num_hidden_layers")
    layers = _numbered(folder)
    if not stated or not layers or folder.config.get("is_encoder_decoder"):
        return
    beside = folder.text.get("num_nextn_predict_layers")  # layers for speculative decoding
    stored = max(layers) + 1
    if not stated <= stored <= stated + (beside if isinstance(beside, int) else 0):
        lists = [
            name for name, value in folder.text.items() if isinstance(value, list) and len(value) == stated
        ]
        key = next(
            name for name in ("num_hidden_layers", "n_layer", "n_layers", "num_layers") if name in folder.text
        )
        whole = set(layers) == set(range(stored))
        edits = ((CONFIG, put_in_text(**{key: stored})),) if whole and not lists else ()
        what = f"{CONFIG} says that the model has {stated} layers, the weights are those of {stored}"
        yield Finding(what, (USE,), edits, f"correct {key} in {CONFIG}, or {AGAIN}")
        return
    if missing := sorted(set(range(stated)) - set(layers)):
        yield Finding(
            f"the weights of layer {missing[0]} are missing ({len(missing)} of {stated})", (USE,), (), AGAIN
        )
    if folder.text.get("model_type") in UNIFORM:
        every = Counter(part for parts in layers.values() for part in parts)
        lost = sorted(
            f"{place} lacks {part}"
            for place, parts in layers.items()
            for part in every
            if part not in parts and every[part] > len(layers) / 2
        )
        if lost:
            yield Finding(f"tensors are missing: layer {lost[0]} ({len(lost)} in all)", (USE,), (), AGAIN)


def _numbered(folder: Folder) -> dict[int, set[str]]:
    """Number of a decoder layer -> the names of its tensors inside it."""
    found: dict[int, set[str]] = {}
    for name in folder.tensors:
        match = LAYER.match(name)
        if match and not OTHER.search(match["list"]):
            found.setdefault(int(match["place"]), set()).add(name[match.end() :])
    return found


def _integers(folder: Folder) -> Iterator[Finding]:
    """Weights that are stored as integers in a folder that is not quantised."""
    if (folder.path / "quanto_qmap.json").is_file():
        return
    wrong = sorted(
        name for name, (kind, _, _) in folder.tensors.items() if kind in INTEGERS and name.endswith(".weight")
    )
    if wrong:
        what = (
            f"{len(wrong)} weights are stored as integers and {CONFIG} has no quantization_config, first"
            f" {wrong[0]}"
        )
        yield Finding(what, (USE,), (), AGAIN)


def _vocabulary(folder: Folder) -> Iterator[Finding]:
    """Another number of tokens in config.json than rows in the embedding."""
    name, stated = folder.matrix(EMBEDDINGS), size(folder.config, "vocab_size")
    shape = folder.tensors[name][1] if name else []
    if len(shape) != 2 or not stated or shape[0] == stated:
        return
    what = f"{CONFIG} says vocab_size={stated}, {name} has {shape[0]} rows"
    head = folder.matrix(HEADS)
    agrees = not head or folder.tensors[head][1][0] == shape[0]
    edits = ((CONFIG, put_in_text(vocab_size=shape[0])),) if agrees else ()
    yield Finding(what, (USE,), edits, AGAIN)


def _tied(folder: Folder) -> Iterator[Finding]:
    """Whether the output matrix is the embedding, by config.json and by the files."""
    tied = folder.config.get("tie_word_embeddings", folder.text.get("tie_word_embeddings"))
    head, embedding = folder.matrix(HEADS), folder.matrix(EMBEDDINGS)
    known = folder.text.get("model_type") in UNIFORM
    name = str(next(iter(folder.config.get("architectures") or []), ""))
    if tied is False and embedding and not head and known and name.endswith("ForCausalLM"):
        what = f"{CONFIG} says tie_word_embeddings=false, and the files have no output matrix of their own"
        yield Finding(what, (USE,), ((CONFIG, put(tie_word_embeddings=True)),))
    if tied is False and embedding and not head and known and name.endswith("Model"):
        what = f"the weights are a {name}, the trunk of a language model without its output matrix"
        yield Finding(what, (USE,), (), "save the whole model, as AutoModelForCausalLM opens it")
    if tied is True and embedding and head and not _equal(folder, head, embedding):
        what = (
            f"{CONFIG} says tie_word_embeddings=true, and {head} is another matrix than {embedding}: which of"
            " the two a program takes for the output differs"
        )
        yield Finding(what, (TRAIN, COMPRESS, EXPORT), ((CONFIG, put(tie_word_embeddings=False)),))


def _equal(folder: Folder, one: str, other: str) -> bool:
    """Whether two stored tensors have the same bytes; reading ends with the first difference."""
    if folder.tensors[one][:2] != folder.tensors[other][:2]:
        return False
    places = [_place(folder.tensors[name][2], name) for name in (one, other)]
    with places[0][0].open("rb") as left, places[1][0].open("rb") as right:
        left.seek(places[0][1])
        right.seek(places[1][1])
        rest = places[0][2]
        while rest > 0:
            length = min(rest, CHUNK)
            if left.read(length) != right.read(length):
                return False
            rest -= length
    return True


def _place(file: Path, name: str) -> tuple[Path, int, int]:
    """The file, the offset and the length in bytes of a tensor."""
    header, complete = header_of(file)
    start, end = header[name]["data_offsets"]
    data = complete - max(entry["data_offsets"][1] for entry in header.values())
    return file, data + start, end - start


def _dtype(folder: Folder) -> Iterator[Finding]:
    """Another dtype in config.json than most of the weights have."""
    key: Any = next(
        (name for name in ("dtype", "torch_dtype") if isinstance(folder.config.get(name), str)), ""
    )
    sizes: Counter[str] = Counter()
    for kind, shape, _ in folder.tensors.values():
        sizes[kind] += math.prod(shape)
    stored = FLOATS.get(sizes.most_common(1)[0][0]) if sizes else None
    stated = str(folder.config.get(key, "")).removeprefix("torch.") if key else ""
    if stored and stated and stated != stored and stated in FLOATS.values():
        yield Finding(
            f"{CONFIG} says {key}={stated}, the weights are stored as {stored}: ptx goes by the weights",
            (),
            ((CONFIG, put(**{key: stored})),),
        )
