"""The words that may follow typed ones: verbs, options, groups, choices, fields, runs, files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from ptx.cli.parser import Parser, parser_of
from ptx.config import GROUPS, IN_METHOD, RunConfig
from ptx.hooks.host import Host

Candidates = Iterable[tuple[str, str]]  # a whole word, and what it is
CONFIGURED = ("train", "compress", "eval", "export", "make", "check", "advise")  # verbs with key=value words
RECORDS = ("report", "gate", "runs", "judge")  # verbs that name runs
BOOLEANS = (("true", ""), ("false", ""))


def candidates(host: Host, typed: Sequence[str]) -> list[tuple[str, str]]:
    """What may stand in place of the last of ``typed``, the words behind ``ptx``."""
    *before, current = typed or [""]
    found: Candidates
    if not before:
        found = _verbs(host)
    elif current.startswith("-"):
        parser = _deepest(host, before)
        found = parser.options() if parser is not None else []
    elif before[-1].startswith("--") and (behind := _behind_option(host, before, current)) is not None:
        found = behind
    elif len(before) == 1 and before[0] != "plugins" and (listed := _sub_verbs(host, before[0])):
        found = listed
    elif "=" in current:
        found = _values(host, current)
    elif before[0] in CONFIGURED:
        found = _keys(host, before[1:], current)
        found = [*found, ("goal=", "what matters most")] if before[0] == "advise" else found
    elif before[0] in RECORDS:
        found = [*_runs(), *_paths(current)]
    elif before[:2] == ["plugins", "new"]:
        found = []  # a name that nothing has yet
    elif before[0] == "plugins":
        found = [(group, "group") for group in GROUPS]
        found += [*_sub_verbs(host, "plugins")] if len(before) == 1 else []
        found += [(choice.name, choice.help) for choice in host.choices.values()]
    else:
        found = _paths(current)
    return list(dict.fromkeys((word, about) for word, about in found if word.startswith(current)))


def _verbs(host: Host) -> Iterator[tuple[str, str]]:
    from ptx.cli import VERBS

    yield from ((name, about) for name, (_, about) in VERBS.items())
    yield from ((one.name, one.help) for found in host.hook.ptx_commands() for one in found)


def _parser(host: Host, verb: str, words: Sequence[str] = ()) -> Parser | None:
    """The parser of a verb, or of its sub-verb; None where there is none."""
    from ptx.cli import VERBS

    if verb in VERBS:
        module = import_module(VERBS[verb][0])
        return parser_of(lambda typed: module.main(verb, typed), words)
    commands = {one.name: one.main for found in host.hook.ptx_commands() for one in found}
    return parser_of(commands[verb], words) if verb in commands else None


def _sub_verbs(host: Host, verb: str) -> list[tuple[str, str]]:
    if verb == "plugins":  # its parser takes a group and a choice
        return [("new", "write a plugin to begin with")]
    parser = _parser(host, verb)
    return [] if parser is None else parser.words()


def _deepest(host: Host, before: Sequence[str]) -> Parser | None:
    """The parser of a verb, or of its sub-verb where one is typed."""
    verb, *rest = before
    names = [name for name, _ in _sub_verbs(host, verb)]
    return _parser(host, verb, [word for word in rest[:1] if word in names])


def _behind_option(host: Host, before: Sequence[str], current: str) -> Candidates | None:
    """What may stand behind the last of the typed words, an option; None where nothing stands there."""
    parser = _deepest(host, before)
    values = parser.values(before[-1]) if parser is not None else None
    return None if values is None else [(word, "") for word in values] or _paths(current)


def _keys(host: Host, before: Sequence[str], current: str) -> Iterator[tuple[str, str]]:
    """Groups and fields, each with its ``=``; below a group the fields of what was chosen for it."""
    group, dot, rest = current.partition(".")
    if not dot:
        yield from ((f"{name}=", _about_group(name)) for name in GROUPS)
        yield from _of_no_group()
        chosen = [word.partition("=")[0] for word in before if "=" in word]
        yield from ((f"{name}.", "settings") for name in dict.fromkeys(chosen) if name in GROUPS)
    elif group in GROUPS and GROUPS[group][1]:  # a group of several: eval.bench.limit
        for name in host.names(group):
            if rest.startswith(f"{name}."):
                yield from _fields(host, group, [name], f"{group}.{name}.")
            elif not _chosen(before, group) or name in _chosen(before, group):
                yield f"{group}.{name}.", host.choices[group, name].help
    elif group == "method" and (inner := rest.partition(".")[0]) in IN_METHOD and "." in rest:
        yield from _fields(host, inner, _chosen(before, inner), f"method.{inner}.")
    elif group in GROUPS:
        yield from _fields(host, group, _chosen(before, group), f"{group}.")


def _of_no_group() -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(RunConfig):
        if dataclasses.is_dataclass(field.default_factory):
            inner = dataclasses.fields(field.default_factory)
            yield from ((f"{field.name}.{one.name}=", one.metadata["help"]) for one in inner)
        elif field.name not in GROUPS:
            yield f"{field.name}=", str(field.metadata.get("help", ""))


def _fields(host: Host, group: str, names: Sequence[str], prefix: str) -> Iterator[tuple[str, str]]:
    """The fields of some choices of a group; of all, where none is named."""
    for name in names or host.names(group):
        if (group, name) in host.choices:
            for field in dataclasses.fields(host.choices[group, name].config_type):
                word = f"{prefix}{field.name}"
                yield (
                    f"{word}." if field.name in IN_METHOD else f"{word}=",
                    str(field.metadata.get("help", "")),
                )


def _chosen(words: Sequence[str], group: str) -> list[str]:
    """The names that typed words choose for a group: ``eval=[bench,latency]`` gives two."""
    values = [word.partition("=")[2] for word in words if word.startswith(f"{group}=")]
    return [name for value in values for name in re.split(r"[\[\],]+", value) if name]


def _values(host: Host, current: str) -> Iterator[tuple[str, str]]:
    """Values of a group, a field or a path, behind what is typed of it already."""
    key, _, value = current.partition("=")
    if key == "goal":
        from ptx.cli.advise.rules import GOALS

        yield from ((f"goal={name}", about) for name, about in GOALS.items())
    elif key in GROUPS or key == "recipe":
        done = current[: max(current.rfind(mark) for mark in "=,[") + 1]
        if value.startswith(("./", "../", "/", "~")):
            yield from _paths(value, f"{key}=")
        elif key in GROUPS and GROUPS[key][1] and not value:
            yield from ((f"{key}=[{name}]", about) for name, about in _choices(host, key))
        else:
            yield from ((f"{done}{name}", about) for name, about in _choices(host, key))
    elif default := _default(host, key):
        yield from ((f"{key}={text}", about) for text, about in default)
    if value.startswith(("./", "../", "/", "~")) and key not in GROUPS:
        yield from _paths(value, f"{key}=")


def _choices(host: Host, group: str) -> list[tuple[str, str]]:
    """The choices of plugins, then the presets."""
    named = {name: host.choices[group, name].help for name in host.names(group)}
    return [*named.items(), *((name, "preset") for name in _presets(host, group) if name not in named)]


def _presets(host: Host, group: str) -> list[str]:
    """The YAML files of a group. Hydra would find them too, but takes half a second until it is ready."""
    places = ["conf", *(place for found in host.hook.ptx_searchpath() for place in found), "pkg://ptx.conf"]
    found = []
    for place in places:
        package = place.removeprefix("pkg://")
        with suppress(OSError, ImportError):
            folder = files(package) if package != place else Path(place)
            found += [file.name for file in (folder / group).iterdir() if file.name.endswith(".yaml")]
    return sorted({name.removesuffix(".yaml") for name in found})


def _default(host: Host, key: str) -> list[tuple[str, str]]:
    """The values that a field suggests: both of a truth value, else its default."""
    *path, last = key.split(".")
    for field in dataclasses.fields(RunConfig) if not path else _declared(host, path):
        if field.name == last:
            if isinstance(field.default, bool):
                return list(BOOLEANS)
            held = field.default is not dataclasses.MISSING and field.default not in (None, "")
            return [(str(field.default), "default")] if held else []
    return []


def _declared(host: Host, path: Sequence[str]) -> Iterator[dataclasses.Field[Any]]:
    """The fields that may stand below ``method``, ``method.lora``, ``eval.bench``, ..."""
    group = path[1] if len(path) == 2 and path[1] in IN_METHOD else path[0]
    many = group in GROUPS and GROUPS[group][1]
    names = [path[1]] if many and len(path) == 2 else host.names(group)
    for name in names:
        if (group, name) in host.choices:
            yield from dataclasses.fields(host.choices[group, name].config_type)


def _about_group(name: str) -> str:
    return (GROUPS[name][0].__doc__ or "").strip().splitlines()[0]


def _runs() -> list[tuple[str, str]]:
    """The runs and sweeps below the usual output folder, the newest first."""
    folders = [folder for folder in Path("ptx-out/runs").glob("*") if folder.is_dir()]
    return [(folder.name, "run") for folder in sorted(folders, key=lambda one: -one.stat().st_mtime)]


def _paths(typed: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Files and folders whose path begins with ``typed``; a folder ends with a slash."""
    head, slash, start = typed.rpartition("/")
    place = Path(f"{head}{slash}").expanduser() if slash else Path()
    with suppress(OSError):
        for entry in sorted(place.iterdir()):
            if entry.name.startswith(start) and (start or not entry.name.startswith(".")):
                end = "/" if entry.is_dir() else ""
                yield f"{prefix}{head}{slash}{entry.name}{end}", "folder" if end else "file"
