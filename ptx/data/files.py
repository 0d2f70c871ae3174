"""Finds the data files of a path.

A path is a file or a folder. A folder whose files are named by shape (``pairs.jsonl``, ``messages.parquet``,
...) is a *family*. Any other folder stands for its ``train`` file or shards (as downloads from the hub have
them: ``data/train-00000-of-00002.parquet``) or for its only data file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from ptx.data.encoding import COMPRESSED
from ptx.errors import ConfigError, Problem

#: endings of the formats; each may have the ending of a compression behind it
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".txt")


def suffix_of(file: Path) -> str:
    """The ending that names the format of a file, in small letters and without its compression's."""
    name = file.with_suffix("") if file.suffix.lower() in COMPRESSED else file
    return name.suffix.lower()


def stem_of(file: Path) -> str:
    """The name of a file without the endings of its format and compression."""
    return (file.with_suffix("") if file.suffix.lower() in COMPRESSED else file).stem


def find_files(path: Path, shapes: Iterable[str]) -> dict[str, list[Path]]:
    """Shape -> files of a family; any other path gives a single entry under the empty name.

    Raises:
        ConfigError: when the path holds no data, or more than one choice of it.
    """
    if not path.exists():
        raise ConfigError(Problem(f"there is no file or folder {path}", _nearby(path)))
    if path.is_file():
        if suffix_of(path) not in SUFFIXES:
            endings = f"{', '.join(SUFFIXES)} (behind them {', '.join(COMPRESSED)})"
            raise ConfigError(
                Problem(f"cannot read {path.name}: its ending is not one of {endings}", _other_ending(path))
            )
        return {"": [path]}
    if not path.is_dir():
        raise ConfigError(Problem(f"{path} is neither a file nor a folder", "give data=./my.jsonl"))
    files = [file for file in sorted(path.iterdir()) if _is_data(file)]
    family = _family(path, files, shapes)
    return family or {
        "": _only(path, files or [file for file in sorted(path.glob("data/*")) if _is_data(file)])
    }


def _other_ending(path: Path) -> str:
    """What to do with a file of another format, or without the ending of its own."""
    if path.suffix.lower() in (".xlsx", ".xls", ".ods", ".numbers"):
        return "save it in the spreadsheet as CSV UTF-8, then data=./FILE.csv"
    packed = path.suffix if path.suffix.lower() in COMPRESSED else ""
    named = path.with_name(f"{path.name.removesuffix(packed)}.jsonl{packed}")
    said = "if it holds JSON, name it so" if packed or not path.suffix else "write its rows as one of these"
    return (
        f"{said}: mv {shlex.quote(str(path))} {shlex.quote(str(named))}"
        if packed or not path.suffix
        else said
    )


def _is_data(file: Path) -> bool:
    metadata = file.name.startswith((".", "dataset_info", "dataset_dict", "state.", "README"))
    return file.is_file() and suffix_of(file) in SUFFIXES and not metadata


def _nearby(path: Path) -> str:
    if path.is_symlink():
        gone = f"it points to {path.readlink()}, which was deleted"
        return f"{gone}; the command of the run ({path.parent / 'run.json'}) makes it again"
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist either; type data=./FILE.jsonl"
    beside = [file.name for file in sorted(path.parent.iterdir()) if _is_data(file)][:8]
    return (
        f"beside it: {', '.join(beside)}"
        if beside
        else f"{path.parent} holds no data file; type data=./FILE.jsonl"
    )


def _family(path: Path, files: list[Path], shapes: Iterable[str]) -> dict[str, list[Path]]:
    known = set(shapes)
    family: dict[str, list[Path]] = {}
    for file in files:
        if stem_of(file) in known:
            family.setdefault(stem_of(file), []).append(file)
    twice = [
        f"{shape}: {', '.join(file.name for file in found)}"
        for shape, found in family.items()
        if len(found) > 1
    ]
    if twice:
        raise ConfigError(
            Problem(f"folder {path} holds a shape twice ({'; '.join(twice)})", "keep one file of each")
        )
    train = [file.name for file in files if stem_of(file) == "train"]
    if family and train:
        named = ", ".join(file.name for found in family.values() for file in found)
        raise ConfigError(
            Problem(
                f"folder {path} holds files named by shape ({named}) and {train[0]}",
                "rename it by its shape or move it away",
            )
        )
    return family


def _only(path: Path, files: list[Path]) -> list[Path]:
    train = [file for file in files if re.fullmatch(r"train(-\d+-of-\d+)?", stem_of(file))]
    if len(files) == 1 or (train and (len(train) == 1 or all("-of-" in file.stem for file in train))):
        return train or files
    if not files:
        raise ConfigError(
            Problem(
                f"folder {path} holds no data file ({', '.join(SUFFIXES)})",
                "put one there, or type data=./FILE.jsonl",
            )
        )
    names = ", ".join(file.name for file in files[:8])
    fix = f"type data={path / files[0].name}, or name the files by shape (messages.jsonl, pairs.jsonl, ...)"
    raise ConfigError(Problem(f"folder {path} holds several data files and none called train: {names}", fix))
