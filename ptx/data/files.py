"""Finds the data files of a path.

A path is a file or a folder. A folder whose files are named by shape (``pairs.jsonl``, ``messages.parquet``,
...) is a *family*. Any other folder stands for its ``train`` file or shards, or for its only data file or set
of shards, as downloads from the hub (``data/train-00000-of-00002.parquet``, ``default/train/0000.parquet``)
and ``save_to_disk`` of datasets (``data-00000-of-00002.arrow``, ``train/...``) lay them out.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from ptx.data.encoding import COMPRESSED
from ptx.errors import ConfigError, Problem

#: where a folder without data files of its own keeps those that one trains on
WITHIN = ("data", "train", "default/train", "data/train")
SHARD = re.compile(r"(?P<name>.*?)-?(?P<number>\d{4,})(?:-of-(?P<all>\d{4,}))?")
#: endings of the formats; each may have the ending of a compression behind it
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".txt")


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
        lost = f" (a link to {path.readlink()})" if path.is_symlink() else ""
        raise ConfigError(Problem(f"there is no file or folder {path}{lost}", _nearby(path)))
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
    return family or {"": _only(path, files or _within(path))}


def _within(path: Path) -> list[Path]:
    """The data files of the first of the usual folders within that has some."""
    for name in WITHIN:
        if found := [file for file in sorted(path.glob(f"{name}/*")) if _is_data(file)]:
            return found
    return []


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
    """The train file, the only file, or the shards of either."""
    sets: dict[str, list[Path]] = {}
    for file in files:
        part = SHARD.fullmatch(stem_of(file))
        sets.setdefault(f"{part['name']}-*" if part else stem_of(file), []).append(file)
    found = sets.get("train", []) + sets.get("train-*", []) or (files if len(sets) == 1 else [])
    if len(found) == 1 or _are_shards(found):
        return _whole(path, found)
    if not files:
        raise ConfigError(
            Problem(
                f"folder {path} holds no data file ({', '.join(SUFFIXES)})",
                "put one there, or type data=./FILE.jsonl",
            )
        )
    names = ", ".join(file.name for file in files[:8])
    fix = f"type data={files[0]}, or name the files by shape (messages.jsonl, pairs.jsonl, ...)"
    raise ConfigError(Problem(f"folder {path} holds several data files and none called train: {names}", fix))


def _are_shards(files: list[Path]) -> bool:
    """Whether they are numbered parts of one table; years and step counts are not such numbers."""
    parts = [part for part in (SHARD.fullmatch(stem_of(file)) for file in files) if part]
    numbers = sorted(int(part["number"]) for part in parts)
    if not files or len(set(numbers)) != len(files):
        return False
    return all(part["all"] for part in parts) or numbers in (
        list(range(len(files))),
        list(range(1, len(files) + 1)),
    )


def _whole(path: Path, files: list[Path]) -> list[Path]:
    """The shards, which must all be there.

    Raises:
        ConfigError: their names say that there are more, as after a download that was cut short.
    """
    parts = [part for part in (SHARD.fullmatch(stem_of(file)) for file in files) if part and part["all"]]
    for part in parts[:1]:
        there, said = {int(one["number"]) for one in parts}, int(part["all"])
        if missing := sorted(set(range(said)) - there):
            named = ", ".join(f"{part['name']}-{number:05}-of-{said:05}" for number in missing[:3])
            what = f"folder {path} holds {len(there)} of {said} shards; missing: {named}"
            raise ConfigError(
                Problem(
                    what + (f" and {len(missing) - 3} more" if len(missing) > 3 else ""),
                    f"download the rest, or train on a part by name: data={files[0]}",
                )
            )
    return files
