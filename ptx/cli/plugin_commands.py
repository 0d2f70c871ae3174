"""Functions for the verbs of plugins (``ptx_commands``).

They give a configuration from typed words or from a record, and a run outside of any sweep. This module is
part of the public API of ptx.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ptx.cli.parser import Parser
from ptx.compose.jobs import compose_jobs
from ptx.config import RunConfig
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import get_host
from ptx.hooks.run import Run
from ptx.machine import resolve_device
from ptx.plan.inputs import Inputs
from ptx.plan.serialize import thaw
from ptx.records import ModelRef
from ptx.report.table.records import Record, load_records

__all__ = [
    "Parser",
    "Printing",
    "Record",
    "config_of",
    "configured",
    "load_records",
    "new_folder",
    "opened_model",
    "running",
]


class Printing:
    """A console that prints lines and shows no progress."""

    def say(self, text: str) -> None:
        """Print a line."""
        print(text)

    def progress(self, label: str, metrics: dict[str, float], step: int, total: int | None) -> None:
        """Show nothing: a short command only prints lines."""


def configured(verb: str, words: Sequence[str]) -> RunConfig:
    """Return the configuration that ``ptx VERB WORDS`` would run.

    Raises:
        ConfigError: with everything that is wrong with the words.
    """
    return compose_jobs(get_host(), verb, list(words))[0].config


def new_folder(word: str) -> Path:
    """Return the folder that ``out=FOLDER`` names; the command is to write it.

    Raises:
        ConfigError: the word does not begin with ``out=``, or the folder exists already.
    """
    out = Path(word.removeprefix("out=")).expanduser()
    if not word.startswith("out="):
        raise ConfigError(Problem(f"no folder to write to: {word!r}", f"type out=./{out.name}"))
    if out.exists():
        raise ConfigError(Problem(f"{out} exists already", "name another folder with out="))
    return out


def opened_model(word: str) -> ModelRef:
    """Return the model that ``model=WORD`` names, checked as a run would check it.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    if "/" not in word and Path(word).is_dir():
        word = f"./{word}"
    inputs = Inputs(get_host())
    found = inputs.model(configured("eval", [f"model={word}", "eval=[]"]).model)
    if found is None:
        raise ConfigError(inputs.problems)
    return found[0]


def config_of(record: Record) -> RunConfig:
    """Return the configuration of a recorded run."""
    return thaw(record.run["config"], get_host())


@contextmanager
def running(config: RunConfig) -> Iterator[Run]:
    """Give a run outside of any sweep, to call scorers with; its temporary folder is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="ptx-") as name:
        folder = Path(name)
        device = resolve_device(config.device)
        yield Run(
            config, get_host(), Printing(), folder, folder / "events.jsonl", folder, config.seed, device
        )
