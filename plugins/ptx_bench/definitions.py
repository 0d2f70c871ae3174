"""The definitions of lm-eval tasks, read from their YAML files without importing lm-eval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from ptx.guard.plain_yaml import SafeLoader
from ptx.guard.plain_yaml import read_yaml as read_plain
from ptx.guard.reading import FileError

FUNCTION = "!function"
#: field -> the types that lm-eval reads there
TYPES: dict[str, tuple[type, ...]] = {
    "task": (str, list),
    "group": (str,),
    "metadata": (dict,),
    "dataset_kwargs": (dict,),
    "dataset_path": (str,),
    "metric_list": (list,),
    "filter_list": (list,),
    "generation_kwargs": (dict,),
}


@dataclass(frozen=True)
class Definition:
    """A YAML file that defines a task or a group."""

    file: Path
    config: dict[str, Any]
    read_from: tuple[Path, ...] = ()  # the files that it includes

    @property
    def name(self) -> str:
        """The name in lm-eval."""
        return str(self.config.get("group") or self.config.get("task"))

    @property
    def is_group(self) -> bool:
        """Whether it is a group of tasks."""
        return "group" in self.config

    @property
    def wants_template(self) -> bool:
        """Whether its metadata asks for the chat template."""
        return bool((self.config.get("metadata") or {}).get("apply_chat_template"))

    @property
    def tagged(self) -> list[tuple[str, Tagged]]:
        """(field, value) of every value with a tag, such as ``!function``."""
        return [(where, value) for where, value in _leaves(self.config) if isinstance(value, Tagged)]

    @property
    def python(self) -> list[Path]:
        """The Python files beside it that its functions are read from."""
        names = [value.rpartition(".")[0] for _, value in self.tagged if value.tag == FUNCTION]
        files = {self.file.parent / f"{name.replace('.', '/')}.py" for name in names}
        return sorted(file for file in files if file.is_file())

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The entries of its ``metric_list``."""
        return [entry for entry in self.config.get("metric_list") or [] if isinstance(entry, dict)]

    @property
    def data_files(self) -> list[Path]:
        """Local files that its items are read from.

        Relative paths start at the working folder, as in lm-eval.
        """
        given = (self.config.get("dataset_kwargs") or {}).get("data_files") or []
        groups = given.values() if isinstance(given, dict) else [given]
        names = [name for group in groups for name in (group if isinstance(group, list) else [group])]
        return [Path(name) for name in map(str, names) if "://" not in name and "*" not in name]


def split(entries: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Separate entries into paths and names of lm-eval's tasks."""
    paths = [
        entry
        for entry in entries
        if Path(entry).exists() or "/" in entry or entry.endswith((".yaml", ".yml"))
    ]
    return [Path(entry) for entry in paths], [entry for entry in entries if entry not in paths]


def yaml_files(path: Path) -> list[Path]:
    """The YAML files that a path stands for, in lm-eval's order."""
    return sorted(path.glob("**/*.yaml"), key=Path.as_posix) if path.is_dir() else [path]


def definitions(path: Path) -> list[Definition]:
    """The tasks and groups that a path defines; files that others only include are left out.

    Raises:
        ValueError: a file does not parse; the text names file and line.
    """
    read = [(file, *_with_includes(file, ())) for file in yaml_files(path)]
    found = [Definition(*one) for one in read if "task" in one[1] or "group" in one[1]]
    for one in found:
        _check_types(one)
    return found


def _check_types(one: Definition) -> None:
    for field, types in TYPES.items():
        value = one.config.get(field)
        if value is not None and not isinstance(value, types):
            wanted = " or ".join(
                {"str": "text", "dict": "mapping"}.get(t.__name__, t.__name__) for t in types
            )
            raise FileError(one.file, f"{field} must be a {wanted}, got {value!r:.60}")


def _with_includes(file: Path, above: tuple[Path, ...]) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The content of a YAML file and of those that it includes, and which these are."""
    if file.resolve() in above:
        raise FileError(above[0], f"it includes itself (through {file.name})", "remove the include")
    config = read_plain(file, _Loader)
    if not isinstance(config, dict):
        raise FileError(file, f"it holds a {type(config).__name__}, not a task definition")
    included = config.pop("include", None) or []
    base: dict[str, Any] = {}
    files: tuple[Path, ...] = ()
    for name in included if isinstance(included, list) else [included]:
        if not isinstance(name, str):
            raise FileError(file, f"include must name files, got {name!r:.60}")
        found, further = _with_includes(file.parent / name, (*above, file.resolve()))
        base |= found
        files += (file.parent / name, *further)
    return {**base, **config}, files


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, where or str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, where)
    else:
        yield where, value


class Tagged(str):
    """The text of a value with a tag of its own, such as ``!function module.name``."""

    __slots__ = ("tag",)
    tag: str


def _tagged(_loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Tagged:
    text = Tagged(str(node.value))
    text.tag = f"!{suffix}"
    return text


class _Loader(SafeLoader):  # type: ignore[misc]  # as above
    """Reads ``!function module.name`` as text."""


_Loader.add_multi_constructor("!", _tagged)


def files_behind(entries: Sequence[str]) -> list[Path]:
    """Everything on disk that decides what the tasks ask: folders, YAML files, and files of items."""
    paths = [path for path in split(entries)[0] if path.exists()]
    data = [
        file
        for path in paths
        for definition in definitions(path)
        for file in (*definition.data_files, *definition.read_from, *definition.python)
        if file.is_file() and file not in paths
    ]
    outside = [
        file
        for file in data
        if not any(path.is_dir() and file.resolve().is_relative_to(path.resolve()) for path in paths)
    ]
    return [*paths, *sorted(set(outside))]
