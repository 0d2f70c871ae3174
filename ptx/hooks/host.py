"""The plugin manager: loads every plugin separately, so that a broken one loses only its own choices.

Sources, in this order: the entry points of the group ``ptx`` (the built-ins are found in the same way), then
``./ptxfile.py``, which is announced before it runs. ``PTX_DISABLE=a,b`` leaves plugins out by name
(``ptxfile`` is that file); ``PTX_TRACE=1`` prints every hook call.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

import pluggy

from ptx.config import Choice
from ptx.errors import ConfigError, Problem, PtxError
from ptx.guard.reading import reason
from ptx.hooks import hookspecs
from ptx.hooks.border import Guarded, guard, home_of, place_of, wrong_answer
from ptx.hooks.offered import heavy_imports, must_be_usable, must_fit, must_take
from ptx.hooks.waiting import calling
from ptx.machine import uncollected

PTXFILE = "ptxfile.py"
LOCAL = "ptxfile"  # the name of the plugin that it is
DISABLED = "disabled by PTX_DISABLE"


@dataclass(frozen=True)
class Plugin:
    """A plugin that was loaded, or the ``error`` that prevented it."""

    name: str
    origin: str
    version: str
    module: Any = None
    error: str = ""
    heavy: tuple[str, ...] = ()  # ML libraries that its import loads, for which every command waits


def heavy_line(plugin: Plugin) -> str:
    """What a plugin costs every command, and how to mend it."""
    return (
        f"imports {', '.join(plugin.heavy)} when it is loaded, and every command waits for that: import it"
        " in the hooks"
    )


@dataclass
class Host:
    """All plugins, the broken ones included, and the choices of those that were loaded."""

    manager: pluggy.PluginManager
    plugins: list[Plugin] = field(default_factory=list)
    choices: dict[tuple[str, str], Choice] = field(default_factory=dict)
    owners: dict[tuple[str, str], Plugin] = field(default_factory=dict)
    taken: dict[tuple[str, str], Problem] = field(default_factory=dict)  # names that two plugins give

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
            values = [value for value in arguments.values() if type(value) in self._types()]
            named = " ".join(type(value).__name__ for value in values) or "this call"
            owner = f"plugin {self.owner_of(values[0]).name}" if values else "its plugin"
            raise PtxError(f"no plugin answered {hook} for {named}; {owner} must implement {hook}")
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

    def call(self, hook: str, config: Any, **arguments: Any) -> Any:
        """The answer to a hook by the function that the choice of ``config`` names, with what it accepts.

        None where the choice names no function, or where no plugin contributes the type of ``config``.
        """
        by_type = {choice.config_type: choice for choice in self.choices.values()}
        found = (by_type[kind] for kind in type(config).__mro__ if kind in by_type)
        choice = next((one for one in found if one.calls), None)
        if choice is None:
            return None
        owner = self.owners[choice.group, choice.name]
        guarded = Guarded(owner.name, home_of(owner.module), hook, (), lambda: None)
        try:
            function = _function_of(choice)
            must_take(function, hook)
        except Exception as error:
            raise guarded.raised(error) from error
        accepted = [key for key in arguments if key in inspect.signature(function).parameters]

        def called(*given: Any) -> Any:
            return function(**dict(zip(accepted, given, strict=True)))

        guarded = replace(guarded, names=tuple(accepted), function=called)
        return guarded(*(arguments[key] for key in accepted))

    def _types(self) -> set[type]:
        return {choice.config_type for choice in self.choices.values()}


def _function_of(choice: Choice) -> Callable[..., Any]:
    """What a choice calls; a function that is named by its module is imported now."""
    if callable(choice.calls):
        return choice.calls
    module, _, name = choice.calls.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


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
    home, before = PTXFILE if name == LOCAL else "", heavy_imports()
    try:
        with calling(name, "import", home):
            module = load()
        heavy = tuple(sorted(heavy_imports() - before))
        plugin = Plugin(name, origin, release, module, heavy=heavy)
        must_fit(module)
        host.manager.register(module, name=name)
        host.manager.check_pending()
        guard(host.manager, name)
        with calling(name, "ptx_choices", home_of(module)):
            offered = module.ptx_choices() if hasattr(module, "ptx_choices") else []
        if fault := wrong_answer("ptx_choices", offered):
            raise TypeError(f"ptx_choices {fault}")
        must_be_usable(offered)
        _add_choices(host, plugin, offered)
    except (Exception, SystemExit) as error:  # noqa: BLE001 (an import may raise anything; the host keeps it)
        if host.manager.has_plugin(name):
            host.manager.unregister(name=name)
        host.plugins.append(Plugin(name, origin, release, error=_said(error, home)))
    else:
        host.plugins.append(plugin)


def _said(error: BaseException, home: str) -> str:
    """Why a plugin cannot be loaded, with the line; what ptx itself found has none."""
    if isinstance(error, ConfigError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    found_here = Path(last).parent == Path(__file__).parent and not isinstance(error, SyntaxError)
    text = str(error) if found_here else reason(error)
    return text if found_here and not home else f"{text} ({place_of(error, home)})"


def _add_choices(host: Host, plugin: Plugin, offered: Sequence[Choice]) -> None:
    """Add all choices of a plugin, or none where a name is taken: it is then an error to type that name."""
    new = {(choice.group, choice.name): choice for choice in offered}
    for group, name in new:
        if (group, name) in host.choices:
            other = host.owners[group, name]
            what = f"{group}={name} is given by two plugins: {other.name} ({other.origin}) and"
            fix = f"leave one out: PTX_DISABLE={plugin.name} or PTX_DISABLE={other.name}"
            host.taken[group, name] = Problem(f"{what} {plugin.name} ({plugin.origin})", fix)
            raise ConfigError(host.taken[group, name])
    if len(new) < len(offered):
        names = [f"{choice.group}={choice.name}" for choice in offered]
        twice = next(one for one in names if names.count(one) > 1)
        raise ValueError(f"ptx_choices gives {twice} twice")
    host.choices |= new
    host.owners |= dict.fromkeys(new, plugin)


def _trace(hook_name: str, hook_impls: Sequence[pluggy.HookImpl], arguments: Mapping[str, Any]) -> None:
    shown = ", ".join(f"{key}={type(value).__name__}" for key, value in arguments.items())
    asked = ", ".join(impl.plugin_name for impl in reversed(hook_impls))
    print(f"[ptx trace] {hook_name}({shown}) -> {asked}", file=sys.stderr)
