"""Adapter folders (PEFT's): what they hold, and the base that they belong to. No ML library.

An adapter that the user names as ``model=`` gets a folder of its own in the cache: the adapter's files, the
small files of its base where it has none (config, tokenizer, chat template), and :data:`BASE_FILE`, which
names the base and its digest. So everything that reads a model folder reads that one, and a base that has
changed is noticed.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ptx.errors import ConfigError, Problem, StepError
from ptx.files import digest_of, folder_digest, read_json, write_json
from ptx.guard.reading import read_object

#: file in an adapter folder that records the base model of the adapter
BASE_FILE = "ptx_base.json"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
#: the files of a base that an adapter may lack
SHARED = ("*.json", "*.jinja", "*.model", "*.txt")
NOT_SHARED = ("*.index.json", "package.json", BASE_FILE, CONFIG)
#: kinds of adapters that only add to weights, so they can be merged into them
MERGED = (
    "LORA",
    "ADALORA",
    "DORA",
    "LOHA",
    "LOKR",
    "OFT",
    "BOFT",
    "IA3",
    "VERA",
    "HRA",
    "RANDLORA",
    "BONE",
    "MISS",
)


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter instead of full weights."""
    return (folder / CONFIG).is_file()


def base_of(folder: Path) -> Path:
    """The folder of the base model of an adapter that ptx wrote or prepared.

    Raises:
        StepError: the folder is missing, or its weights have changed since the adapter was trained.
    """
    recorded = read_json(folder / BASE_FILE) if (folder / BASE_FILE).is_file() else {}
    base = Path(recorded.get("path") or read_json(folder / CONFIG).get("base_model_name_or_path") or "")
    if not (base / "config.json").is_file() and not is_adapter(base):
        raise StepError(
            f"the adapter in {folder} belongs to {base}, which does not exist; restore that folder or train"
            " with lora.merge=true"
        )
    if recorded.get("digest") and folder_digest(base) != recorded["digest"]:
        raise StepError(
            f"the adapter in {folder} was trained on other weights than {base} holds now; train it again"
        )
    return base


def weights_of(folder: Path) -> Path:
    """The folder of the full weights: for an adapter that of its lowest base, else the folder itself."""
    return weights_of(base_of(folder)) if is_adapter(folder) else folder


def adapter_problems(path: Path) -> list[Problem]:
    """Why an adapter folder cannot be used, but for its base; empty for one that can."""
    own = [file.name for file in sorted(path.glob("*.safetensors")) if not file.name.startswith("adapter_")]
    if own:
        what = (
            f"{path} holds the weights of a whole model ({own[0]}) and an adapter ({CONFIG}): most programs"
            " ignore one of the two"
        )
        moved = f"{path}-adapter"
        fix = (
            "to use its weights, move the adapter away, and have both: type:"
            f" mkdir {shlex.quote(moved)} && mv {shlex.quote(str(path))}/adapter_* {shlex.quote(moved)}"
        )
        return [Problem(what, fix)]
    try:
        config = read_object(path / CONFIG)
    except ConfigError as error:
        return list(error.problems)
    if not (path / WEIGHTS).is_file():
        pickled = (path / "adapter_model.bin").is_file()
        what = f"the adapter {path} has no {WEIGHTS}"
        fix = "save it again with peft: model.save_pretrained(FOLDER), which writes safetensors"
        return [Problem(f"{what}, only a pickle, which can run code" if pickled else what, fix)]
    if str(config.get("task_type") or "CAUSAL_LM").upper() != "CAUSAL_LM":
        what = f"the adapter {path} is made for {config['task_type']}, not for a language model (CAUSAL_LM)"
        return [Problem(what, "use an adapter of a language model")]
    return []


def prepare(path: Path, cache: Path, named: Callable[[str], Path]) -> Path:
    """The folder in the cache for the adapter ``path``; ``named`` finds a base by its id of the hub.

    Raises:
        ConfigError: the adapter or its base cannot be used.
    """
    if found := adapter_problems(path):
        raise ConfigError(found)
    base = _base(path, named)
    small = _lowest(path, base)
    record = {"path": str(base.resolve()), "digest": folder_digest(base)}
    target = cache / digest_of([folder_digest(path), record])[:16] / path.resolve().name
    if (target / BASE_FILE).is_file():
        return target
    staged = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    tokenizer = any((path / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json"))
    for folder in (small, path):
        for pattern in (*SHARED, "adapter_*"):
            for file in folder.glob(pattern):
                if folder is path or not _left_out(file, own_tokenizer=tokenizer):
                    shutil.copy2(file, staged / file.name)
    write_json(staged / BASE_FILE, record)
    shutil.rmtree(target, ignore_errors=True)
    staged.rename(target)
    return target


def _lowest(path: Path, base: Path) -> Path:
    """The folder of the full weights below an adapter that the user named."""
    seen = {path.resolve()}
    while is_adapter(base):
        if base.resolve() in seen:
            what = f"the adapter {path} belongs to adapters that lead back to {base}"
            fix = f"correct base_model_name_or_path in {base / CONFIG}: a model's folder or a hub id"
            raise ConfigError(Problem(what, fix))
        seen.add(base.resolve())
        try:
            base = base_of(base)
        except StepError as error:
            raise ConfigError(str(error)) from error
    return base


def _left_out(file: Path, *, own_tokenizer: bool) -> bool:
    """Whether an adapter's folder does not get this file of its base."""
    of_model = file.name in ("config.json", "generation_config.json")
    return any(file.match(pattern) for pattern in NOT_SHARED) or (own_tokenizer and not of_model)


def _base(path: Path, named: Callable[[str], Path]) -> Path:
    """The folder of the base: as ptx recorded it, or as peft did: a path, or an id of the hub."""
    recorded: dict[str, Any] = read_json(path / BASE_FILE) if (path / BASE_FILE).is_file() else {}
    name = str(read_object(path / CONFIG).get("base_model_name_or_path") or "")
    places = [Path(given).expanduser() for given in (recorded.get("path"), name) if given]
    places += [path / name, path.parent / Path(name).name] if name else []
    for base in places:
        if (base / "config.json").is_file() or is_adapter(base):
            if recorded.get("digest") and folder_digest(base) != recorded["digest"]:
                what = f"the adapter {path} was trained on other weights than {base} holds now"
                raise ConfigError(Problem(what, "restore them, or train the adapter again"))
            return base
    where = str(recorded.get("path") or name or "no base (base_model_name_or_path is empty)")
    problem = Problem(
        f"the adapter {path} belongs to {where}, which is not on this machine",
        f"restore it, or correct base_model_name_or_path in {path / CONFIG}: a folder or a hub id",
    )
    if not name or name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ConfigError(problem)
    try:
        return named(name)
    except ConfigError as error:
        raise ConfigError([problem, *error.problems]) from error
