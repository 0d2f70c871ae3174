"""The config groups in Hydra: plugins' choices in the ConfigStore, YAML presets on the search path."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigNode, ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from ptx.compose.fields import OPEN_GROUPS
from ptx.compose.sources import path_of
from ptx.config import IN_METHOD, RunConfig
from ptx.errors import ConfigError, Problem, did_you_mean
from ptx.guard.secrets import environment_value
from ptx.hooks.host import Host


class _SearchPath(SearchPathPlugin):
    """Prepends the folders of plugins and of the user: their files take precedence over the packaged ones."""

    folders: tuple[str, ...] = ()

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in reversed(self.folders):
            search_path.prepend(provider="ptx", path=folder)


@contextmanager
def hydra(host: Host, config_dir: str | None) -> Iterator[None]:
    """Open Hydra with the plugins' choices and all folders of presets."""
    folders = [config_dir] if config_dir else []
    if config_dir and not Path(config_dir).is_dir():
        raise ConfigError(f"--config-dir {config_dir}: no such folder")
    folders += ["conf"] if Path("conf").is_dir() else []
    for found in host.hook.ptx_searchpath():
        folders += found
    _SearchPath.folders = tuple(path_of(folder) for folder in folders)
    if _SearchPath not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(_SearchPath)
    _register(host)
    OmegaConf.register_new_resolver("oc.env", environment_value, replace=True)
    GlobalHydra.instance().clear()
    known.cache_clear()
    with initialize_config_module("ptx.conf", version_base="1.3"):
        yield


def _register(host: Host) -> None:
    _store("", "run_schema", RunConfig)
    for group in IN_METHOD:
        ConfigStore.instance().store(group=group, name="none", node={}, package="_global_")
    for (group, name), choice in host.choices.items():
        package = (
            f"{group}.{name}" if group in OPEN_GROUPS else f"method.{group}" if group in IN_METHOD else group
        )
        _store(group, name, choice.config_type, package, host.owners[group, name].name)


class _Typed(ConfigNode):
    """A configuration type in Hydra's ConfigStore, built when it is read.

    ``ConfigStore.store`` builds what it is given at once, and building all choices takes longer than the
    rest of a composition, which reads a dozen of them.
    """

    def __init__(
        self, config_type: type, group: str, name: str, package: str | None, provider: str | None
    ) -> None:
        self.config_type = config_type
        self.name, self.group, self.package, self.provider = f"{name}.yaml", group or None, package, provider

    def __getattr__(self, name: str) -> Any:
        if name != "node":
            raise AttributeError(name)
        self.node = OmegaConf.structured(self.config_type)
        return self.node


def _store(
    group: str, name: str, config_type: type, package: str | None = None, provider: str | None = None
) -> None:
    """Put a configuration type into Hydra's ConfigStore, unless it is there already."""
    repo = ConfigStore.instance().repo
    stored = (repo.setdefault(group, {}) if group else repo).get(f"{name}.yaml")
    wanted = (config_type, package, provider)
    if not isinstance(stored, _Typed) or (stored.config_type, stored.package, stored.provider) != wanted:
        node = _Typed(config_type, group, name, package, provider)
        (repo[group] if group else repo)[node.name] = node


@functools.cache
def known(group: str) -> list[str]:
    """The values of a group: choices and presets. Hydra must be open."""
    loader = GlobalHydra.instance().config_loader()
    assert isinstance(loader, ConfigLoaderImpl)
    # the loader's own get_group_options would first copy every config of every group
    return [name for name in loader.repository.get_group_options(group, ObjectType.CONFIG) if name != "none"]


def options(host: Host, group: str, config_dir: str | None = None) -> list[str]:
    """Every value that a group accepts: the plugins' choices and the YAML presets."""
    with hydra(host, config_dir):
        return known(group)


def read_group(host: Host, group: str, name: str, config_dir: str | None = None) -> dict[str, Any]:
    """The content of a YAML choice of a group that has no types, such as ``gate=ship``.

    Raises:
        ConfigError: when the group has no such choice.
    """
    with hydra(host, config_dir):
        if name not in known(group):
            raise ConfigError(Problem(f"no {group} {name!r}", did_you_mean(name, known(group))))
        found = OmegaConf.to_container(compose(overrides=[f"+{group}={name}"])[group], resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}
