"""Whether the files of a model folder can be read at all, before anything is concluded from them.

A folder from elsewhere may hold a pipe in place of its weights, a configuration that is no JSON or nests
without an end, a text where a size must be. Each such file is named here with what is wrong in it, so that
whatever reads the folder later finds what it expects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ptx.errors import Problem
from ptx.guard.names import fault_of
from ptx.guard.reading import FileError, read_object, read_text, reason, regular

AGAIN = "download the folder again, or correct the file"
INDEX = "model.safetensors.index.json"
MOST = 10**9  # of a size in a configuration
Check = tuple[Callable[[Any], bool], str]


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(one, kind) for one in value)


SIZE: Check = (_is_size, f"a whole number from 1 to {MOST:,}")
TEXT: Check = (lambda value: isinstance(value, str), "a text")
TEXTS: Check = (_is_list_of(str), "a list of texts")
MAPPING: Check = (lambda value: isinstance(value, dict), "an object")
MAPPINGS: Check = (_is_list_of(dict), "a list of objects")
TOKEN: Check = (lambda value: isinstance(value, str | dict), "a text, or an object with content")
TOKEN_ID: Check = (
    lambda value: isinstance(value, int) or _is_list_of(int)(value),
    "a whole number, or a list of them",
)
SIZES = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size"),
    *(
        "intermediate_size",
        "max_position_embeddings",
        "n_positions",
        "n_embd",
        "n_layer",
        "n_head",
        "head_dim",
    ),
)
TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
TOKEN_IDS = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), TOKEN_ID)
#: file -> field -> what it must be where it is there and not null
FIELDS: dict[str, dict[str, Check]] = {
    "config.json": {
        **dict.fromkeys(SIZES, SIZE),
        **TOKEN_IDS,
        "model_type": TEXT,
        "architectures": TEXTS,
        "quantization_config": MAPPING,
        "text_config": MAPPING,
    },
    "generation_config.json": TOKEN_IDS,
    "tokenizer_config.json": {
        **dict.fromkeys(TOKENS, TOKEN),
        "tokenizer_class": TEXT,
        "added_tokens_decoder": MAPPING,
        "chat_template": (lambda value: isinstance(value, str | list), "a text, or a list of templates"),
    },
    "special_tokens_map.json": dict.fromkeys(TOKENS, TOKEN),
    "tokenizer.json": {"model": MAPPING, "added_tokens": MAPPINGS},
    "adapter_config.json": {"base_model_name_or_path": TEXT, "peft_type": TEXT, "r": SIZE},
    "ptx_base.json": {"path": TEXT, "digest": TEXT},
    INDEX: {"weight_map": MAPPING},
}


def unreadable(path: Path) -> list[Problem]:
    """The problem of each file of a model folder that cannot be read, or holds what cannot be there."""
    found = [problem for name in FIELDS for problem in _file_problems(path / name, FIELDS[name])]
    for pattern, read in (("*.safetensors", regular), ("*.jinja", read_text)):
        found += [problem for file in path.glob(pattern) for problem in _of(file, partial(read, file))]
    return found


def _file_problems(file: Path, fields: dict[str, Check]) -> Iterator[Problem]:
    value: dict[str, Any] = {}

    def read() -> None:
        value.update(read_object(file))

    if wrong := _of(file, read):
        yield from wrong
        return
    nested = value.get("text_config")
    for part in (value, nested if isinstance(nested, dict) else {}):
        for name, (is_right, wanted) in fields.items():
            if part.get(name) is not None and not is_right(part[name]):
                yield Problem(f"{file}: {name} must be {wanted}, got {part[name]!r:.60}", AGAIN)
    if file.name == INDEX and isinstance(value.get("weight_map"), dict):
        for name in {str(one): one for one in value["weight_map"].values()}.values():
            if fault := fault_of(name):
                yield Problem(f"{file}: weight_map names {name!r:.60}: {fault}", AGAIN)


def _of(file: Path, read: Callable[[], object]) -> list[Problem]:
    if not file.is_symlink() and not file.exists():
        return []
    try:
        read()
    except FileError as error:
        return [Problem(problem.what, problem.fix or AGAIN) for problem in error.problems]
    except OSError as error:
        return [Problem(f"{file}: {reason(error)}", AGAIN)]
    return []
