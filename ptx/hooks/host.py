"""The plugin manager: loads every plugin separately, so that a broken one loses only its own choices.

Sources, in this order: the entry points of the group ``ptx`` (the built-ins are found in the same way), then
``./ptxfile.py``, which is announced before it runs. ``PTX_DISABLE=a,b`` leaves plugins out by name
(``ptxfile`` is that file); ``PTX_TRACE=1`` prints every hook call.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from types import NoneType
from typing import Any

import pluggy

from ptx.config import GROUPS, Choice
from ptx.errors import ConfigError, Problem, PtxError
from ptx.guard.reading import reason
from ptx.hooks import hookspecs
from ptx.hooks.border import place_of, watch, wrong_answer
from ptx.machine import uncollected

PTXFILE = "ptxfile.py"
LOCAL = "ptxfile"  # the name of the plugin that it is
DISABLED = "disabled by PTX_DISABLE"
#: annotations that Hydra can hold, with the types of their defaults. OmegaConf's own check of all built-in
#: choices takes half of the time that ``ptx --help`` would need.
SINGLE: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "None": (NoneType,),
}
ANY = (str, int, float, NoneType)
SEVERAL = re.compile(r"(list|dict)\[(?:str, )?(?:str|bool|int|float|Any)\]( \| None)?")


@dataclass(frozen=True)
class Plugin:
    """A plugin that was loaded, or the ``error`` that prevented it."""

    name: str
    origin: str
    version: str
    module: Any = None
    error: str = ""


@dataclass
class Host:
    """All plugins, the broken ones included, and the choices of those that were loaded."""

    manager: pluggy.PluginManager
    plugins: list[Plugin] = field(default_factory=list)
    choices: dict[tuple[str, str], Choice] = field(default_factory=dict)
    owners: dict[tuple[str, str], Plugin] = field(default_factory=dict)

    @property
    def hook(self) -> Any:
        """Call hooks through this: ``host.hook.ptx_train(...)``."""
        return self.manager.hook

    @property
    def broken(self) -> list[Plugin]:
        """The plugins that could not be loaded."""
        return [plugin for plugin in self.plugins if plugin.error]

    def names(self, group: str) -> list[str]:
        """The names of the choices that plugins add to a group."""
        return sorted(name for of, name in self.choices if of == group)

    def choice_of(self, config: Any) -> Choice:
        """The choice whose configuration type is that of ``config``."""
        found = [choice for choice in self.choices.values() if choice.config_type is type(config)]
        if not found:
            raise ConfigError(f"no plugin contributes the configuration type {type(config).__name__}")
        return found[0]

    def owner_of(self, config: Any) -> Plugin:
        """The plugin that contributed the type of ``config``."""
        choice = self.choice_of(config)
        return self.owners[choice.group, choice.name]

    def name_of(self, value: Any) -> str:
        """The user's name for a model or data value: a path, an id of the hub, or the name of the choice."""
        return str(getattr(value, "path", None) or getattr(value, "id", None) or self.choice_of(value).name)

    def first(self, hook: str, **arguments: Any) -> Any:
        """The answer of a first-result hook.

        Raises:
            PtxError: when no plugin answers: the plugin that contributed the choice lacks the hook.
        """
        answer = getattr(self.hook, hook)(**arguments)
        if answer is None:
            values = [type(value).__name__ for value in arguments.values() if type(value) in self._types()]
            raise PtxError(
                f"no plugin answered {hook} for {' '.join(values) or 'this call'}; its plugin must implement"
                f" {hook}"
            )
        return answer

    def each(self, hook: str, **arguments: Any) -> Iterator[tuple[str, list[Any] | Exception]]:
        """(plugin, its answer or its error) of a collected hook, so that one error leaves out one answer."""
        named = [(name, module) for name, module in self.manager.list_name_plugin() if module is not None]
        for implementation in getattr(self.hook, hook).get_hookimpls():
            others = [module for name, module in named if name != implementation.plugin_name]
            try:
                answers = self.manager.subset_hook_caller(hook, others)(**arguments)
            except Exception as error:  # noqa: BLE001 (a plugin may raise anything)
                yield implementation.plugin_name, error
            else:
                yield implementation.plugin_name, [one for answer in answers for one in answer or ()]

    def call(self, config: Any, **arguments: Any) -> Any:
        """The result of the function that the choice of ``config`` names, called with what it accepts.

        None where the choice names no function, or where no plugin contributes the type of ``config``.
        """
        by_type = {choice.config_type: choice for choice in self.choices.values()}
        found = (by_type[kind].calls for kind in type(config).__mro__ if kind in by_type)
        calls = next(filter(None, found), "")
        if not calls:
            return None
        module, _, name = calls.partition(":")
        function = getattr(importlib.import_module(module), name)
        accepted = inspect.signature(function).parameters
        return function(**{key: value for key, value in arguments.items() if key in accepted})

    def _types(self) -> set[type]:
        return {choice.config_type for choice in self.choices.values()}


@functools.cache
def get_host() -> Host:
    """The host of this process; the plugins are loaded at the first call.

    Raises:
        ConfigError: the ``ptxfile.py`` of the working folder cannot be loaded.
    """
    host = load_host(Path.cwd(), os.environ)
    for plugin in host.broken:
        if plugin.name == LOCAL and plugin.error != DISABLED:
            what = f"{Path.cwd() / PTXFILE} cannot be loaded: {plugin.error}"
            raise ConfigError(Problem(what, f"correct it, or leave it out: PTX_DISABLE={LOCAL}"))
    return host


def load_host(folder: Path, environ: Any = os.environ) -> Host:
    """A host with all installed plugins and the ``ptxfile.py`` of ``folder``."""
    manager = pluggy.PluginManager("ptx")
    manager.add_hookspecs(hookspecs)
    watch(manager)
    host = Host(manager)
    disabled = {name.strip() for name in environ.get("PTX_DISABLE", "").split(",") if name.strip()}
    with uncollected():
        for name, origin, release, load in _sources(folder):
            if name in disabled:
                host.plugins.append(Plugin(name, origin, release, error=DISABLED))
            else:
                _load(host, name, origin, release, load)
    if environ.get("PTX_TRACE"):
        manager.add_hookcall_monitoring(_trace, lambda *_: None)
    return host


def _sources(folder: Path) -> list[tuple[str, str, str, Callable[[], Any]]]:
    """(name, origin, version, function that imports the module) of every plugin."""
    found: list[tuple[str, str, str, Callable[[], Any]]] = []
    seen: set[tuple[str, str]] = set()
    for point in sorted(
        entry_points(group="ptx"), key=lambda point: (point.value != "ptx.builtin", point.name)
    ):
        if (point.name, point.value) not in seen:
            seen.add((point.name, point.value))
            found.append((point.name, point.value, _release(point), point.load))
    local = folder / PTXFILE
    if local.is_file():
        content = hashlib.sha256(local.read_bytes()).hexdigest()[:12]
        found.append((LOCAL, f"./{PTXFILE}", content, functools.partial(_import_file, local)))
    return found


def _release(point: EntryPoint) -> str:
    try:
        return _version(point.dist) if point.dist else version(point.module)
    except PackageNotFoundError:
        return "0"


@functools.cache
def _version(distribution: Distribution) -> str:
    """Its version; reading it parses the metadata, and one distribution has many plugins."""
    return distribution.version


def _import_file(path: Path) -> Any:
    """Run the file as a module; it is code of this folder, so that is said, and how to prevent it."""
    print(f"ptx: runs {path}; PTX_DISABLE={LOCAL} leaves it out", file=sys.stderr)
    spec = importlib.util.spec_from_file_location(LOCAL, path)
    assert spec is not None  # a .py file always has a spec and a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[LOCAL] = module
    spec.loader.exec_module(module)
    return module


def _load(host: Host, name: str, origin: str, release: str, load: Callable[[], Any]) -> None:
    """Import and register one plugin; an error of its import is kept, and the verbs show it."""
    try:
        module = load()
        plugin = Plugin(name, origin, release, module)
        _must_fit(module)
        host.manager.register(module, name=name)
        host.manager.check_pending()
        offered = module.ptx_choices() if hasattr(module, "ptx_choices") else []
        if fault := wrong_answer("ptx_choices", offered):
            raise TypeError(f"ptx_choices {fault}")
        _add_choices(host, plugin, offered)
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 (an import may raise anything; the host keeps it)
        if host.manager.has_plugin(name):
            host.manager.unregister(name=name)
        message = f"{reason(error)} ({place_of(error, PTXFILE if name == LOCAL else '')})"
        host.plugins.append(Plugin(name, origin, release, error=message))
    else:
        host.plugins.append(plugin)


def _must_fit(module: Any) -> None:
    """Raise where a plugin says that it is written for another version of the hooks."""
    wanted = getattr(module, "PTX_API", hookspecs.API)
    if wanted != hookspecs.API:
        newer = "ptx" if isinstance(wanted, int) and wanted > hookspecs.API else "the plugin"
        raise TypeError(
            f"written for version {wanted} of ptx's plugin interface, and this ptx has {hookspecs.API};"
            f" install a newer version of {newer}"
        )


def _must_be_held(config_type: type) -> None:
    """Raise for a field that Hydra cannot hold; OmegaConf is asked where the annotation does not tell."""
    if not all(_is_held(f) for f in dataclasses.fields(config_type)):
        from omegaconf import OmegaConf

        OmegaConf.structured(config_type)


def _is_held(f: dataclasses.Field[Any]) -> bool:
    held = _held_types(str(f.type))
    return bool(held) and (f.default is dataclasses.MISSING or isinstance(f.default, held))


@functools.cache
def _held_types(annotation: str) -> tuple[type, ...]:
    """The types of the defaults of a field that Hydra can hold; none where only OmegaConf knows."""
    if annotation == "Any":
        return ANY
    if found := SEVERAL.fullmatch(annotation):
        return (list if found[1] == "list" else dict, *([NoneType] if found[2] else []))
    parts = [SINGLE.get(part, ()) for part in annotation.split(" | ")]
    return tuple(kind for part in parts for kind in part) if all(parts) else ()


def _add_choices(host: Host, plugin: Plugin, offered: list[Choice]) -> None:
    for choice in offered:
        if choice.group not in GROUPS:
            raise ValueError(f"choice {choice.name!r} names the unknown group {choice.group!r}")
        base = GROUPS[choice.group][0]
        if not issubclass(choice.config_type, base):
            raise TypeError(
                f"{choice.config_type.__name__} must derive from ptx.{base.__name__} to be a {choice.group}"
            )
        _must_be_held(choice.config_type)
    for choice in offered:
        key = (choice.group, choice.name)
        if key in host.choices:
            other = host.owners[key]
            raise ConfigError(
                Problem(
                    f"{choice.group}={choice.name} is given by two plugins: {other.name} ({other.origin}) and"
                    f" {plugin.name} ({plugin.origin})",
                    f"disable one: PTX_DISABLE={plugin.name}",
                )
            )
        host.choices[key] = choice
        host.owners[key] = plugin


def _trace(hook_name: str, hook_impls: Sequence[pluggy.HookImpl], arguments: Mapping[str, Any]) -> None:
    shown = ", ".join(f"{key}={type(value).__name__}" for key, value in arguments.items())
    asked = ", ".join(impl.plugin_name for impl in reversed(hook_impls))
    print(f"[ptx trace] {hook_name}({shown}) -> {asked}", file=sys.stderr)
