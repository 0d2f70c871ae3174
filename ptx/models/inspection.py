"""The facts of a model folder, read from config.json, the tokenizer's files and the safetensors' headers.

A safetensors file begins with the length of its header (8 bytes, little endian) and the header itself: JSON
with the type, shape and place of every tensor (https://github.com/huggingface/safetensors). That is enough to
count parameters and to find a download that was cut short, without a tensor library and without reading a
weight.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError, Problem, StepError
from ptx.files import files_of
from ptx.guard.reading import FileError, parse_json, read_object, read_text, regular
from ptx.models.adapters import adapter_problems, is_adapter, weights_of
from ptx.models.counting import commonest_dtype, count_weights
from ptx.models.package import read_package
from ptx.models.readable import INDEX, unreadable
from ptx.models.sizes import context
from ptx.models.tokenizer_file import open_tokenizer

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
MOST_HEADER = 100_000_000  # bytes; the format's own limit
CONVERT = (
    'convert them where you trust their source: python -c "from transformers import AutoModelForCausalLM as'
    " M; M.from_pretrained('{path}').save_pretrained('{path}')\""
)


@dataclass(frozen=True)
class ModelFacts:
    """The facts of a model folder.

    ``parameters`` counts the stored weights; an embedding that is shared with the head counts once.
    """

    architecture: str
    parameters: int
    bytes: int
    dtype: str
    has_tokenizer: bool
    has_chat_template: bool
    trains_on_assistant: bool
    max_positions: int | None
    quantized: str
    weight_files: tuple[str, ...]


#: name, size and time of each file
Stamp = tuple[tuple[str, int, int], ...]


def _stamp(folder: Path) -> Stamp:
    with os.scandir(folder) as entries:
        states = [(entry.name, entry.stat()) for entry in entries if entry.is_file()]
    return tuple(sorted((name, state.st_size, state.st_mtime_ns) for name, state in states))


def inspect(path: Path) -> ModelFacts:
    """The facts of a model folder.

    Raises:
        ConfigError: with everything that :func:`problems` finds.
    """
    if wrong := problems(path):
        raise ConfigError(wrong)
    return _facts.__wrapped__(path, ()) if is_adapter(path) else _facts(path, _stamp(path))


@lru_cache(maxsize=64)
def _facts(path: Path, _stamp: Stamp) -> ModelFacts:
    if package := read_package(path):
        return _package_facts(path, package)
    config = _config(path)
    template = chat_template(path)
    weights = weight_files(path)
    tensors = [tensor for file in weights for tensor in tensors_of(file)]
    return ModelFacts(
        architecture=next(iter(config.get("architectures") or []), str(config.get("model_type", ""))),
        parameters=count_weights(tensors, config),
        bytes=sum(file.stat().st_size for folder in {path, weights_of(path)} for file in files_of(folder)),
        dtype=commonest_dtype(tensors),
        has_tokenizer=_has_tokenizer(path),
        has_chat_template=bool(template),
        trains_on_assistant="{% generation" in template.replace("{%-", "{%"),
        max_positions=context(config),
        quantized=str((config.get("quantization_config") or {}).get("quant_method", "")),
        weight_files=tuple(file.name for file in weights),
    )


def problems(path: Path) -> list[Problem]:
    """Why a folder cannot be used as a model, all reasons at once; empty when it can.

    The answer is kept while the files are the same: every run of a sweep asks several times.
    """
    if path.is_dir() and not is_adapter(path):  # of an adapter the base matters too
        return list(_problems(path, _stamp(path)))
    return list(_problems.__wrapped__(path, ()))


@lru_cache(maxsize=64)
def _problems(path: Path, _stamp: Stamp) -> Sequence[Problem]:
    if not path.is_dir():
        what = f"model {path} is a file" if path.exists() else f"there is no model folder {path}"
        return [
            Problem(
                what,
                "type model=./FOLDER with config.json, safetensors and tokenizer in it, or model=ORG/NAME",
            )
        ]
    if wrong := unreadable(path):
        return wrong
    if read_package(path):
        return []  # its runtime opens it
    if is_adapter(path):
        return adapter_problems(path) or _base_problems(path)
    return [*_config_problems(path), *_tokenizer_problems(path), *_weight_problems(path)]


def _base_problems(adapter: Path) -> list[Problem]:
    """Why the base of an adapter cannot be used."""
    try:
        return problems(weights_of(adapter))
    except StepError as error:
        return [Problem(str(error))]


def _package_facts(path: Path, package: dict[str, Any]) -> ModelFacts:
    """The facts of a runtime package, from its description."""
    return ModelFacts(
        architecture=f"{package['runtime']} package",
        parameters=int(package.get("parameters", 0)),
        bytes=sum(file.stat().st_size for file in files_of(path)),
        dtype=str(package.get("precision", "")),
        has_tokenizer=_has_tokenizer(path),
        has_chat_template=bool(chat_template(path)),
        trains_on_assistant=False,
        max_positions=None,
        quantized="",
        weight_files=(),
    )


def weight_files(path: Path) -> list[Path]:
    """The safetensors files of the model, of an adapter its base's, as transformers takes them.

    These are model.safetensors, or those that the index names, else all. Others may lie beside them: Mistral
    adds the same weights in a format of its own (consolidated.safetensors).
    """
    path = weights_of(path)
    index, whole = path / INDEX, path / "model.safetensors"
    if index.exists():
        return [path / name for name in sorted(set(_read(index).get("weight_map", {}).values()))]
    return [whole] if whole.exists() else sorted(path.glob("*.safetensors"))


def chat_template(path: Path) -> str:
    """The chat template of a model folder; empty where it has none.

    The file chat_template.jinja takes precedence over tokenizer_config.json.
    """
    file = path / "chat_template.jinja"
    if file.exists():
        return read_text(file)
    config = path / "tokenizer_config.json"
    template = _read(config).get("chat_template") if config.exists() else None
    if isinstance(template, list):  # several named templates
        named = {entry.get("name"): entry.get("template", "") for entry in template}
        template = named.get("default", next(iter(named.values()), ""))
    return str(template or "")


def tensors_of(file: Path) -> Iterator[tuple[str, str, list[int]]]:
    """(name, type, shape) of every tensor of a safetensors file, read from its header."""
    for name, entry in header_of(file)[0].items():
        yield name, entry["dtype"], entry["shape"]


def header_of(file: Path) -> tuple[dict[str, Any], int]:
    """The header of a safetensors file without its metadata, and the size of the complete file in bytes.

    Raises:
        ValueError: when the file is too short for its header.
    """
    size = regular(file).stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > size - 8:
            raise ValueError(
                f"the header says it has {length} bytes, the file has {size}"
                if size >= 8
                else f"it has {size} bytes"
            )
        if length > MOST_HEADER:
            raise ValueError(f"the header says it has {length} bytes, and safetensors allow {MOST_HEADER}")
        header = parse_json(stream.read(length).decode(), file)
    if not isinstance(header, dict):
        raise FileError(file, f"its header is a {type(header).__name__}, not an object")
    header.pop("__metadata__", None)
    if wrong := next((name for name, entry in header.items() if not _is_entry(entry)), None):
        raise FileError(file, f"its header describes {wrong} as {header[wrong]!r:.80}")
    return header, 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)


def _is_entry(entry: Any) -> bool:
    """Whether a tensor is described as safetensors does it: a type, a shape, and where its bytes lie."""
    if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str):
        return False
    shape, places = entry.get("shape"), entry.get("data_offsets")
    if not isinstance(shape, list) or not isinstance(places, list) or len(places) != 2:
        return False
    return all(type(one) is int and 0 <= one < 2**63 for one in [*shape, *places]) and places[0] <= places[1]


def _config_problems(path: Path) -> Iterator[Problem]:
    file = path / "config.json"
    if not file.exists():
        yield Problem(
            f"{path} has no config.json",
            "it is not a Hugging Face model folder; save one with model.save_pretrained(FOLDER)",
        )
        return
    try:
        _config(path)
    except ValueError as error:
        yield Problem(f"{file} cannot be read: {error}", "download it again")


def _tokenizer_problems(path: Path) -> Iterator[Problem]:
    if not _has_tokenizer(path):
        fix = "save it there: AutoTokenizer.from_pretrained(SOURCE).save_pretrained(FOLDER)"
        yield Problem(f"{path} has no tokenizer (none of {', '.join(TOKENIZERS[:3])}, ...)", fix)
        return
    try:
        open_tokenizer(path)
    except ValueError as error:
        what = f"{path / 'tokenizer.json'} cannot be read as a tokenizer: {error}"
        yield Problem(what, "download it again, or save it anew: tokenizer.save_pretrained(FOLDER)")


def _weight_problems(path: Path) -> Iterator[Problem]:
    try:
        files = weight_files(path)
    except (ValueError, AttributeError) as error:
        yield Problem(f"{path / INDEX} cannot be read: {error}", "download it again")
        return
    pickles = [
        file.name
        for pattern in PICKLES
        for file in sorted(path.glob(pattern))
        if file.name != "training_args.bin"
    ]
    if not files and pickles:
        yield Problem(
            f"{path} has its weights as pickle only ({', '.join(pickles[:3])}), which can run code",
            CONVERT.format(path=path),
        )
    elif not files:
        yield Problem(
            f"{path} has no weights (no *.safetensors)", "save them there: model.save_pretrained(FOLDER)"
        )
    for file in files:
        yield from _file_problems(file)


def _file_problems(file: Path) -> Iterable[Problem]:
    if not file.exists():
        return [
            Problem(f"{INDEX} names {file.name}, which is not in {file.parent}", "download the folder again")
        ]
    if _is_pointer(file):
        return [Problem(f"{file} is a Git LFS pointer, not weights", "fetch the weights: git lfs pull")]
    try:
        _, expected = header_of(file)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [Problem(f"{file} is not a complete safetensors file: {error}", "download it again")]
    size = file.stat().st_size
    if size == expected:
        return []
    what = (
        f"was cut short: it has {size} bytes of {expected}"
        if size < expected
        else f"has {size - expected} bytes too many"
    )
    return [Problem(f"{file} {what}", "download it again")]


def _is_pointer(file: Path) -> bool:
    """Whether the file is the placeholder that git-lfs leaves in place of weights."""
    with file.open("rb") as stream:
        return stream.read(24) == b"version https://git-lfs."


def _has_tokenizer(path: Path) -> bool:
    return any((path / name).exists() for name in TOKENIZERS)


def _read(file: Path) -> dict[str, Any]:
    return read_object(file)


def _config(path: Path) -> dict[str, Any]:
    return _read((path if (path / "config.json").is_file() else weights_of(path)) / "config.json")
