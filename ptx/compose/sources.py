"""Folders of presets as Hydra reads them, through the bounded reader: a preset is a file like any other."""

from __future__ import annotations

import io
from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf

from ptx.guard.plain_yaml import parse_yaml
from ptx.guard.reading import MB, FileError, read_text, understood

SCHEME = "presets"


class Presets(FileConfigSource):
    """A folder of presets of the user or of a plugin."""

    @staticmethod
    def scheme() -> str:
        """What its paths begin with."""
        return SCHEME

    def load_config(self, config_path: str) -> ConfigResult:
        """Read one preset.

        Raises:
            FileError: it is no file, not YAML, without an end, or not a mapping.
        """
        path = Path(self.path, self._normalize_file_name(config_path)).resolve()
        if not path.exists():
            raise ConfigLoadError(f"Config not found : {path}")
        text = read_text(path, MB)
        if not isinstance(parse_yaml(text, path) or {}, dict):
            raise FileError(path, "it holds no fields", "write defaults: [NAME] and FIELD: VALUE")
        with understood(path):
            config = OmegaConf.load(io.StringIO(text))
        header = ConfigSource._get_header_dict(text[:512])  # noqa: SLF001 (as in Hydra's own sources)
        return ConfigResult(
            config=config, path=f"{SCHEME}://{self.path}", provider=self.provider, header=header
        )


def path_of(folder: str) -> str:
    """A folder on disk as Hydra's search path names it; a package's (``pkg://``) stays as it is."""
    SourcesRegistry.instance().register(Presets)
    return folder if "://" in folder else f"{SCHEME}://{Path(folder).resolve()}"
